-- Pilegate: shows the captures of the gateway, and YKC over TCP, in Wireshark and tshark.
-- Written by `pilegate dissector`; the table of frames below is made from the declarations that the gateway decodes by.

local FRAMES = {} -- filled in by `pilegate dissector`
local CRC_LOW = {} -- filled in likewise: the two halves of the CRC-16/MODBUS table
local CRC_HIGH = {}

local KINDS = { [0] = "up", [1] = "down", [2] = "open", [3] = "close", [4] = "lost" }
local PROTOCOLS = { [0] = "unknown", [1] = "ykc", [2] = "aaf5" }
local SCALES = { [0] = 1, 10, 100, 1000, 10000, 100000, 1000000 }
local PSEUDO_BYTES = 8
local AROUND = 4 -- what the length byte does not count: start, length, checksum
local HEAD = 6 -- bytes before the body

local show_aaf5 -- what stands at the end of this file
local capture = Proto("pilegate", "Pilegate capture")
local ykc = Proto("pilegate_ykc", "YKC charging pile")

local F = {
    version = ProtoField.uint8("pilegate.capture.version", "Version of the pseudo-header"),
    kind = ProtoField.string("pilegate.capture.kind", "Kind"),
    protocol = ProtoField.string("pilegate.capture.protocol", "Protocol"),
    restated = ProtoField.bool("pilegate.capture.restated", "Restated"),
    link = ProtoField.uint32("pilegate.capture.link", "Link"),
    text = ProtoField.string("pilegate.capture.text", "Text"),
    data = ProtoField.bytes("pilegate.capture.data", "Bytes"),
    type = ProtoField.uint8("pilegate.frame.type", "Type", base.HEX),
    layout = ProtoField.string("pilegate.frame.layout", "Layout"),
    sequence = ProtoField.uint16("pilegate.frame.sequence", "Sequence"),
    enc = ProtoField.uint8("pilegate.frame.enc", "Encryption flag"),
    crc = ProtoField.string("pilegate.frame.crc", "Checksum"),
    error = ProtoField.string("pilegate.frame.error", "Wrong"),
    noise = ProtoField.bytes("pilegate.frame.noise", "Bytes that belong to no frame"),
    trailing_hex = ProtoField.string("pilegate.trailing_hex", "trailing_hex"),
}
local shown = {} -- field of a body -> its ProtoField
local is_number = {} -- field of a body -> whether that is one of numbers

-- One ProtoField a name: a number where every layout has a number under it, else text as `pilegate decode` prints it.
local function declare()
    local order = {}
    local function see(fields, prefix)
        for _, field in ipairs(fields) do
            if field.inner then
                see(field.inner, prefix .. field.name .. ".")
            else
                local name = prefix .. field.name
                if is_number[name] == nil then
                    is_number[name] = true
                    order[#order + 1] = name
                end
                is_number[name] = is_number[name] and field.show == "number"
            end
        end
    end
    for _, frame in pairs(FRAMES) do
        see(frame.usual.fields, "")
        for _, layout in pairs(frame.exact) do
            see(layout.fields, "")
        end
    end
    for _, name in ipairs({ "cell_max_v", "cell_max_group", "proto_version" }) do
        if is_number[name] == nil then
            order[#order + 1] = name
        end
        is_number[name] = name == "cell_max_group"
    end
    table.sort(order)
    for _, name in ipairs(order) do
        local make = is_number[name] and ProtoField.int64 or ProtoField.string
        shown[name] = make("pilegate." .. name, name)
    end
    local all = {}
    for _, each in pairs(F) do
        all[#all + 1] = each
    end
    for _, each in pairs(shown) do
        all[#all + 1] = each
    end
    capture.fields = all
end
declare()

-- checksum: halves of a table, and an exclusive or of bytes that needs no library of bits
local function xor8(a, b)
    local result, place = 0, 1
    for _ = 1, 8 do
        if a % 2 ~= b % 2 then
            result = result + place
        end
        a, b, place = math.floor(a / 2), math.floor(b / 2), place * 2
    end
    return result
end

local XOR = {}
for a = 0, 255 do
    XOR[a] = {}
    for b = 0, 255 do
        XOR[a][b] = xor8(a, b)
    end
end

-- "modbus-lo-hi", "modbus-hi-lo" or nil, of the bytes first..last of a frame that begin with its start byte
local function checksum(bytes, first, last)
    local low, high = 255, 255
    for at = first + 2, last - 2 do
        local index = XOR[low][bytes:get_index(at)]
        low, high = XOR[high][CRC_LOW[index]], CRC_HIGH[index]
    end
    local one, two = bytes:get_index(last - 1), bytes:get_index(last)
    if one == low and two == high then
        return "modbus-lo-hi"
    elseif one == high and two == low then
        return "modbus-hi-lo"
    end
    return nil
end

local function layout_of(kind, size)
    local frame = FRAMES[kind]
    return frame and (frame.exact[size] or frame.usual)
end

-- the size of the good frame that begins here, or nil and the size that it asks for; a length too small for its type
-- may have counted the body alone
local function good_frame(bytes, at, is_known)
    if at + 1 >= bytes:len() then
        return nil, 8
    end
    local length = bytes:get_index(at + 1)
    local size = length + AROUND
    if length < 4 then
        return nil, nil
    end
    if at + size > bytes:len() then
        return nil, size
    end
    local frame = FRAMES[bytes:get_index(at + 5)]
    if is_known and not frame then
        return nil, size
    end
    if checksum(bytes, at, at + size - 1) then
        return size, size
    end
    local longer = size + AROUND
    if frame and size - HEAD - 2 < frame.least and longer - HEAD - 2 >= frame.least then
        if at + longer > bytes:len() then
            return nil, longer
        end
        return checksum(bytes, at, at + longer - 1) and longer, size
    end
    return nil, size
end

-- Cut a stream: a list of {kind, bytes} where kind is frame, bad or noise, and the bytes that wait for more.
local function cut(bytes)
    local found, at, told = {}, 0, 0
    local function tell(upto)
        if upto > told then
            found[#found + 1] = { "noise", bytes:subset(told, upto - told) }
        end
    end
    while at < bytes:len() do
        local size, wanted = nil, nil
        if bytes:get_index(at) == 0x68 then
            size, wanted = good_frame(bytes, at, false)
        end
        if size then
            tell(at)
            found[#found + 1] = { "frame", bytes:subset(at, size) }
            at = at + size
            told = at
        elseif wanted then
            -- what stands behind a candidate that is not good, or not yet, must not wait for it
            local inner, behind = at + 1, nil
            local last = math.min(at + wanted, bytes:len())
            while inner < last and not behind do
                if bytes:get_index(inner) == 0x68 then
                    behind = good_frame(bytes, inner, true)
                end
                inner = inner + 1
            end
            if behind then
                at = inner - 1
            elseif at + wanted > bytes:len() then
                tell(at)
                return found, bytes:subset(at, bytes:len() - at)
            elseif told == at then
                found[#found + 1] = { "bad", bytes:subset(at, wanted) }
                at = at + wanted
                told = at
            else
                at = at + 1
            end
        else
            at = at + 1
        end
    end
    tell(bytes:len())
    return found, ByteArray.new()
end

-- how raw values are written for people, as `pilegate decode` does it
local function little(range)
    local value = 0
    for at = range:len() - 1, 0, -1 do
        value = value * 256 + range(at, 1):uint()
    end
    return value
end

local function big(range)
    local value = 0
    for at = 0, range:len() - 1 do
        value = value * 256 + range(at, 1):uint()
    end
    return value
end

local function decimal(value, decimals)
    local sign = value < 0 and "-" or ""
    local scale = SCALES[decimals]
    value = math.abs(value)
    return string.format("%s%d.%0" .. decimals .. "d", sign, math.floor(value / scale), value % scale)
end

local function hex(range)
    return range:len() > 0 and range:bytes():tohex() or ""
end

local function text(range, is_vin)
    local last, only_ff, out = range:len(), true, {}
    while last > 0 and range(last - 1, 1):uint() == 0 do
        last = last - 1
    end
    for at = 0, last - 1 do
        local byte = range(at, 1):uint()
        only_ff = only_ff and byte == 255
        out[#out + 1] = byte < 128 and string.char(byte) or string.format("\\x%02x", byte)
    end
    if is_vin and (last == 0 or only_ff) then
        return nil
    end
    return table.concat(out)
end

local function bits(value, count)
    return value % (2 ^ count)
end

local DAYS = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function time(range)
    local millis = little(range(0, 2))
    local minute, hour = bits(range(2, 1):uint(), 6), bits(range(3, 1):uint(), 5)
    local day, month, year = bits(range(4, 1):uint(), 5), bits(range(5, 1):uint(), 4), bits(range(6, 1):uint(), 7)
    local is_invalid = range(2, 1):uint() >= 128
    if is_invalid or millis >= 60000 or minute >= 60 or hour >= 24 or day == 0 or month == 0 or month > 12 then
        return nil
    end
    if year > 99 or day > DAYS[month] or (month == 2 and day == 29 and year % 4 ~= 0) then
        return nil
    end
    return string.format(
        "%04d-%02d-%02dT%02d:%02d:%02d.%03d",
        2000 + year, month, day, hour, minute, math.floor(millis / 1000), millis % 1000
    )
end

local function slots(range)
    local out = {}
    for at = 0, range:len() - 1 do
        local pair = hex(range(at, 1))
        out[#out + 1] = pair:sub(1, 1) == "0" and pair:sub(2) or "[" .. pair .. "]"
    end
    return table.concat(out)
end

local function value_of(field, range)
    local show = field.show
    if show == "number" then
        local value = field.is_big and big(range) or little(range)
        if value == field.blank then
            return nil, value
        end
        return value + field.offset, value
    elseif show == "decimal" then
        return decimal((field.is_big and big(range) or little(range)) + field.offset, field.decimals)
    elseif show == "hex" then
        return hex(range)
    elseif show == "text" or show == "vin" then
        return text(range, show == "vin")
    elseif show == "time" then
        return time(range)
    end
    return slots(range)
end

local function add(tree, name, range, value)
    if value == nil then
        tree:add(range, name:match("[^.]*$") .. ": none")
        return
    end
    if is_number[name] then
        tree:add(shown[name], range, Int64(value))
    else
        tree:add(shown[name], range, tostring(value))
    end
end

local show_fields

local function show_one(tree, prefix, field, range)
    if field.show == "cell" then
        local value = little(range)
        add(tree, prefix .. "cell_max_v", range, decimal(value % 4096, 2))
        add(tree, prefix .. "cell_max_group", range, math.floor(value / 4096))
        return value
    end
    local value, raw = value_of(field, range)
    add(tree, prefix .. field.name, range, value)
    if field.name == "proto_ver_raw" then
        add(tree, prefix .. "proto_version", range, decimal(raw, 1))
    end
    return raw
end

-- Show the fields of a body; returns where they end, or nil and the field that the body is too short for.
show_fields = function(tree, prefix, fields, body, at)
    local last = 0
    for _, field in ipairs(fields) do
        if field.inner then
            local index = 0
            while (field.count == "greedy" and at + field.width <= body:len())
                or (field.count ~= "greedy" and index < (field.count or last)) do
                if at + field.width > body:len() then
                    return nil, field.name
                end
                local branch = tree:add(body(at, field.width), string.format("%s[%d]", field.name, index))
                at = show_fields(branch, prefix .. field.name .. ".", field.inner, body, at)
                index = index + 1
            end
        else
            local width = field.width or last
            if at + width > body:len() then
                return nil, field.name
            end
            -- an empty range cannot be made at the end of a buffer
            if width > 0 then
                last = show_one(tree, prefix, field, body(at, width))
            else
                add(tree, prefix .. field.name, body(0, 0), "")
            end
            at = at + width
        end
    end
    return at
end

local function show_frame(tvb, tree)
    local size = tvb:len()
    local kind, enc = tvb(5, 1):uint(), tvb(4, 1):uint()
    local crc = checksum(tvb:bytes(), 0, size - 1) or "bad"
    local layout = layout_of(kind, size - HEAD - 2)
    local name = string.format("0x%02X", kind) .. (layout and " " .. layout.name or "")
    local branch = tree:add(capture, tvb(), "YKC " .. name)
    branch:add(F.type, tvb(5, 1))
    branch:add_le(F.sequence, tvb(2, 2))
    branch:add(F.enc, tvb(4, 1))
    branch:add(F.crc, tvb(size - 2, 2), crc)
    local wrong = nil
    if crc == "bad" then
        wrong = "checksum"
    end
    if enc ~= 0 then
        wrong = "encrypted"
    elseif not layout then
        wrong = "unknown_type"
    else
        branch:add(F.layout, tvb(5, 1), layout.name)
        local body = size > HEAD + 2 and tvb(HEAD, size - HEAD - 2):tvb() or ByteArray.new():tvb("no body")
        local ends = show_fields(branch, "", layout.fields, body, 0)
        if not ends then
            wrong = wrong or "length"
        elseif ends < body:len() then
            branch:add(F.trailing_hex, body(ends), hex(body(ends)))
        end
    end
    if wrong then
        branch:add(F.error, tvb(), wrong)
        name = name .. " (" .. wrong .. ")"
    end
    return name
end

-- Streams: bytes wait for the rest of their frame from one record to the next. Wireshark shows records again and in any
-- order, so what each of them completed is kept.
local waiting, completed = {}, {}

function capture.init()
    waiting, completed = {}, {}
end

local function stream_cuts(pinfo, key, payload)
    if not completed[pinfo.number] then
        local bytes = waiting[key] or ByteArray.new()
        local before = bytes:len()
        bytes:append(payload:bytes())
        local found, rest = cut(bytes)
        waiting[key] = rest
        completed[pinfo.number] = { found, before }
    end
    return completed[pinfo.number][1]
end

local function show_payload(pinfo, root, tree, key, payload)
    local names = {}
    for index, each in ipairs(stream_cuts(pinfo, key, payload)) do
        local kind, bytes = each[1], each[2]
        local whole = bytes:tvb(string.format("%s %d", kind == "noise" and "Noise" or "Frame", index))
        if kind == "noise" then
            local only = bytes:tohex():gsub("0D", ""):gsub("0A", "")
            if only ~= "" then
                tree:add(F.noise, whole())
                names[#names + 1] = string.format("%d bytes of no frame", bytes:len())
            end
        else
            names[#names + 1] = show_frame(whole, root)
        end
    end
    return table.concat(names, ", ")
end

function capture.dissector(tvb, pinfo, root)
    pinfo.cols.protocol = "Pilegate"
    if tvb:len() < PSEUDO_BYTES or tvb(0, 1):uint() ~= 1 then
        root:add(capture, tvb(), "Pilegate capture: a pseudo-header of another version")
        return
    end
    local code, spoken = tvb(1, 1):uint(), tvb(2, 1):uint()
    local kind, protocol = KINDS[code] or "unknown", PROTOCOLS[spoken] or "unknown"
    local link = tvb(4, 4):le_uint()
    local tree = root:add(capture, tvb(0, PSEUDO_BYTES), string.format("Pilegate capture, link %d, %s", link, kind))
    tree:add(F.version, tvb(0, 1))
    tree:add(F.kind, tvb(1, 1), kind)
    tree:add(F.protocol, tvb(2, 1), protocol)
    tree:add(F.restated, tvb(3, 1))
    tree:add_le(F.link, tvb(4, 4))
    local info = ""
    if tvb:len() > PSEUDO_BYTES then
        local payload = tvb(PSEUDO_BYTES)
        if code > 1 then
            info = payload:string()
            tree:add(F.text, payload, info)
        elseif spoken == 2 then
            tree:add(F.data, payload)
            info = show_aaf5(pinfo, root, tree, link * 2 + code, kind, payload)
        else
            info = show_payload(pinfo, root, tree, link * 2 + code, payload)
        end
    end
    pinfo.cols.info = string.format("link %d %s %s", link, kind, info)
end

local by_encapsulation = DissectorTable.get("wtap_encap")
by_encapsulation:add((wtap_encaps or wtap).USER0, capture)

-- YKC over TCP, for captures of tcpdump: -d tcp.port==8767,pilegate_ykc, or "Decode As"
function ykc.dissector(tvb, pinfo, root)
    pinfo.cols.protocol = "YKC"
    dissect_tcp_pdus(tvb, root, 2, function(all, _, at)
        return all(at, 1):uint() == 0x68 and math.max(all(at + 1, 1):uint(), 4) + AROUND or all:len() - at
    end, function(one, _, inner)
        if one:len() >= 8 and one(0, 1):uint() == 0x68 then
            pinfo.cols.info = show_frame(one, inner)
        else
            inner:add(F.noise, one())
        end
        return one:len()
    end)
    return tvb:len()
end
DissectorTable.get("tcp.port"):add_for_decode_as(ykc)
