"""What an operator hands on: how many bills were abnormal and what that cost, and how a partner's list compares."""
