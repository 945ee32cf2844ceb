import pytest

from protocol.dialects.ykc_codes import FAULTS, fault_texts, stop_text


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [
        (0x40, "charging finished: stopped by app", "充电完成：APP远程停止"),
        (0x46, "charging finished: reserved code 0x46", "充电完成：预留代码0x46"),
        (0x4A, "start failed: pile control system fault", "启动失败：充电桩控制系统故障"),
        (0x58, "start failed: reserved code 0x58", "启动失败：预留代码0x58"),
        (0x69, "start failed: reserved code 0x69", "启动失败：预留代码0x69"),
        (0x6A, "charging aborted: system locked", "异常中止：系统闭锁"),
        (0x83, "charging aborted: pile power lost", "异常中止：充电桩断电"),
        (0x8F, "charging aborted: reserved code 0x8F", "异常中止：预留代码0x8F"),
        (0x90, "unknown reason", "未知原因停止"),
        (0x03, "code 0x03 is not in the list", "代码0x03不在列表中"),
        (0xFF, "code 0xFF is not in the list", "代码0xFF不在列表中"),
    ],
)
def test_a_stop_reason_is_told_in_both_languages(code, english, chinese):
    assert stop_text(code) == (english, chinese)


def test_every_code_has_words():
    assert all(all(stop_text(code)) for code in range(256))


def test_fault_bits_are_told_by_name_and_unknown_ones_by_number():
    assert fault_texts(0) == []
    assert fault_texts(0x0001) == ["emergency stop pressed"]
    assert fault_texts(0x1041) == ["emergency stop pressed", "meter communication lost", "door open"]
    assert fault_texts(0x2000) == ["fault bit 14"]
    assert len(FAULTS) == 13
