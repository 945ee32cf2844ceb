"""What the routes reach."""

import asyncio

from tests.support.desk import in_process


def test_the_site_is_the_one_in_force(tmp_path):
    async def story():
        async with in_process(tmp_path) as (_, app):
            context = app.api._context
            before = context.site
            app.reload_site()
            assert context.site is app.engine.sessions.site
            assert context.site is not before

    asyncio.run(story())
