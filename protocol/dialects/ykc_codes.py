"""What YKC's code numbers mean, in English and Chinese."""

from __future__ import annotations

_FINISHED = {
    0x40: ("stopped by app", "APP远程停止"),
    0x41: ("SOC reached 100 %", "SOC达到100%"),
    0x42: ("energy target reached", "充电电量满足设定条件"),
    0x43: ("amount target reached", "充电金额满足设定条件"),
    0x44: ("time target reached", "充电时间满足设定条件"),
    0x45: ("stopped by hand", "手动停止充电"),
}
_NOT_STARTED = {
    0x4A: ("pile control system fault", "充电桩控制系统故障"),
    0x4B: ("control pilot open", "控制导引断开"),
    0x4C: ("breaker tripped", "断路器跳位"),
    0x4D: ("meter communication lost", "电表通信中断"),
    0x4E: ("insufficient balance", "余额不足"),
    0x4F: ("power module fault", "充电模块故障"),
    0x50: ("emergency stop", "急停开入"),
    0x51: ("surge protector", "防雷器异常"),
    0x52: ("BMS not ready", "BMS未就绪"),
    0x53: ("temperature", "温度异常"),
    0x54: ("battery reversed", "电池反接故障"),
    0x55: ("electronic lock", "电子锁异常"),
    0x56: ("contactor would not close", "合闸失败"),
    0x57: ("insulation", "绝缘异常"),
    0x59: ("BHM timeout", "接收BMS握手报文BHM超时"),
    0x5A: ("BRM timeout", "接收BMS和车辆的辨识报文超时BRM"),
    0x5B: ("BCP timeout", "接收电池充电参数报文超时BCP"),
    0x5C: ("BRO AA timeout", "接收BMS完成充电准备报文超时BRO AA"),
    0x5D: ("BCS timeout", "接收电池充电总状态报文超时BCS"),
    0x5E: ("BCL timeout", "接收电池充电要求报文超时BCL"),
    0x5F: ("BSM timeout", "接收电池状态信息报文超时BSM"),
    0x60: ("battery voltage present in the BHM phase", "BHM阶段电池有电压不允许充电"),
    0x61: ("voltage differs by more than 5 % from BCP", "实际电压与BCP报文电池电压差距大于5%"),
    0x62: ("BRO AA fell back to 00 during pre-charge", "预充电阶段从BRO_AA变成BRO_00"),
    0x63: ("host configuration timeout", "接收主机配置报文超时"),
    0x64: ("charger not ready, no CRO AA", "充电机未准备就绪"),
}
_ABORTED = {
    0x6A: ("system locked", "系统闭锁"),
    0x6B: ("pilot open", "导引断开"),
    0x6C: ("breaker tripped", "断路器跳位"),
    0x6D: ("meter communication lost", "电表通信中断"),
    0x6E: ("insufficient balance", "余额不足"),
    0x6F: ("AC protection", "交流保护动作"),
    0x70: ("DC protection", "直流保护动作"),
    0x71: ("power module fault", "充电模块故障"),
    0x72: ("emergency stop", "急停开入"),
    0x73: ("surge protector", "防雷器异常"),
    0x74: ("temperature", "温度异常"),
    0x75: ("output abnormal", "输出异常"),
    0x76: ("no current", "充电无流"),
    0x77: ("electronic lock", "电子锁异常"),
    0x79: ("total voltage abnormal", "总充电电压异常"),
    0x7A: ("total current abnormal", "总充电电流异常"),
    0x7B: ("cell voltage abnormal", "单体充电电压异常"),
    0x7C: ("battery over temperature", "电池组过温"),
    0x7D: ("highest cell voltage abnormal", "最高单体充电电压异常"),
    0x7E: ("highest battery temperature", "最高电池组过温"),
    0x7F: ("BMV cell voltage", "BMV单体充电电压异常"),
    0x80: ("BMT over temperature", "BMT电池组过温"),
    0x81: ("battery state", "电池状态异常停止充电"),
    0x82: ("vehicle forbids charging", "车辆发报文禁止充电"),
    0x83: ("pile power lost", "充电桩断电"),
    0x84: ("BCS timeout", "接收电池充电总状态报文超时"),
    0x85: ("BCL timeout", "接收电池充电要求报文超时"),
    0x86: ("BSM timeout", "接收电池状态信息报文超时"),
    0x87: ("BST timeout", "接收BMS中止充电报文超时"),
    0x88: ("BSD timeout", "接收BMS充电统计报文超时"),
    0x89: ("CCS timeout from the other side", "接收对侧CCS报文超时"),
}
_FAMILIES = (
    (range(0x40, 0x4A), "charging finished", "充电完成", _FINISHED),
    (range(0x4A, 0x6A), "start failed", "启动失败", _NOT_STARTED),
    (range(0x6A, 0x90), "charging aborted", "异常中止", _ABORTED),
)


def stop_text(code: int) -> tuple[str, str]:
    """(English, Chinese) of a record's stop reason; reserved codes name their family, makers differ on them."""
    if code == 0x90:
        return "unknown reason", "未知原因停止"
    for codes, english, chinese, table in _FAMILIES:
        if code in codes:
            if code in table:
                return f"{english}: {table[code][0]}", f"{chinese}：{table[code][1]}"
            return f"{english}: reserved code 0x{code:02X}", f"{chinese}：预留代码0x{code:02X}"
    return f"code 0x{code:02X} is not in the list", f"代码0x{code:02X}不在列表中"


_KINDS = {0x41: "soc_full", 0x6E: "balance"}
_START_FAILED = range(0x4A, 0x65)
_RESERVED = {*range(0x46, 0x4A), 0x58, *range(0x65, 0x6A), 0x78, *range(0x8A, 0x90)}


def stop_kind(code: int) -> str:
    """What a rule may ask of a stop: soc_full, balance, start_failed, unclear or other."""
    if code in _RESERVED or not 0x40 <= code <= 0x90:
        return "unclear"
    return "start_failed" if code in _START_FAILED else _KINDS.get(code, "other")


FAULTS = (
    "emergency stop pressed",
    "no usable rectifier module",
    "air outlet over temperature",
    "AC surge protector fault",
    "AC/DC module communication lost",
    "insulation module communication lost",
    "meter communication lost",
    "card reader communication lost",
    "RC10 communication lost",
    "fan speed board fault",
    "DC fuse fault",
    "high-voltage contactor fault",
    "door open",
)


def fault_texts(bits: int) -> list[str]:
    """The faults that a sample's bits name; bit 0 is fault 1."""
    return [
        FAULTS[index] if index < len(FAULTS) else f"fault bit {index + 1}" for index in range(16) if bits >> index & 1
    ]
