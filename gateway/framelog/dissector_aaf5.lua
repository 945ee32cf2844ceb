-- The AA F5 family, from the same declarations. A body is chosen by direction, command and size.

local AAF5_FORMS = {} -- filled in by `pilegate dissector`
local AAF5_SMALLEST = 9

local aaf5 = Proto("pilegate_aaf5", "AA F5 charging pile")

local A = {
    command = ProtoField.uint16("aaf5.frame.command", "Command"),
    layout = ProtoField.string("aaf5.frame.layout", "Layout"),
    sequence = ProtoField.uint8("aaf5.frame.sequence", "Sequence"),
    info = ProtoField.uint8("aaf5.frame.info", "Info byte", base.HEX),
    crc = ProtoField.string("aaf5.frame.crc", "Checksum"),
    error = ProtoField.string("aaf5.frame.error", "Wrong"),
    noise = ProtoField.bytes("aaf5.frame.noise", "Bytes that belong to no frame"),
    extra = ProtoField.string("aaf5.extra", "extra"),
}
local aaf5_shown = {}

local function aaf5_declare()
    local all = {}
    for _, each in pairs(A) do
        all[#all + 1] = each
    end
    local function see(fields, prefix)
        for _, field in ipairs(fields) do
            local name = prefix .. field.name
            if field.inner and not field.is_plain then
                see(field.inner, name .. ".")
            elseif not aaf5_shown[name] then
                aaf5_shown[name] = ProtoField.string("aaf5." .. name, name)
                all[#all + 1] = aaf5_shown[name]
            end
        end
    end
    for _, commands in pairs(AAF5_FORMS) do
        for _, forms in pairs(commands) do
            for _, form in ipairs(forms) do
                see(form.fields, "")
            end
        end
    end
    aaf5.fields = all
end
aaf5_declare()

local function aaf5_sum(bytes, first, last)
    local total = 0
    for at = first, last do
        total = (total + bytes:get_index(at)) % 256
    end
    return total
end

-- the form of a body: one whose size is known first, else the first that is declared
local function aaf5_form(side, command, size)
    local usual = nil
    for _, form in ipairs((AAF5_FORMS[side] or {})[command] or {}) do
        local fits = not form.only
        for _, only in ipairs(form.only or {}) do
            fits = fits or only == size
        end
        if fits then
            if form.least <= size and (form.is_open or size <= form.size) then
                return form
            end
            usual = usual or form
        end
    end
    return usual
end

local function aaf5_signed(range)
    local value = little(range)
    return range(range:len() - 1, 1):uint() >= 128 and value - 256 ^ range:len() or value
end

local function aaf5_text(range)
    local out = {}
    for at = 0, range:len() - 1 do
        local byte = range(at, 1):uint()
        if byte == 0 then
            break
        end
        out[#out + 1] = byte < 128 and string.char(byte) or string.format("\\x%02x", byte)
    end
    return (table.concat(out):gsub(" +$", ""))
end

local function aaf5_value(field, range)
    if field.show == "number" and range:len() == 8 then
        return tostring(range:le_uint64())
    elseif field.show == "number" then
        return string.format("%.0f", field.is_signed and aaf5_signed(range) or little(range))
    elseif field.show == "text" then
        return aaf5_text(range)
    elseif field.show == "bcd_time" then
        local digits = hex(range)
        if digits:match("^0*$") then
            return nil
        end
        return digits:sub(1, 14):match("^%d+$") and digits:sub(1, 14) or "hex:" .. digits:lower()
    elseif field.show == "time" then
        return time(range)
    end
    return hex(range):lower()
end

local function aaf5_fields(tree, prefix, fields, body, at)
    for _, field in ipairs(fields) do
        local name = prefix .. field.name
        if field.inner then
            local count = 0
            while at + field.width <= body:len() and (not field.count or count < field.count) do
                local one = body(at, field.width)
                if field.is_plain then
                    tree:add(aaf5_shown[name], one, aaf5_value(field.inner[1], one))
                else
                    aaf5_fields(tree:add(one, string.format("%s[%d]", field.name, count)), name .. ".", field.inner, body, at)
                end
                at = at + field.width
                count = count + 1
            end
        else
            local width = field.width or body:len() - at
            if at + width > body:len() then
                return body:len()
            end
            if width > 0 then
                local value = aaf5_value(field, body(at, width))
                if value then
                    tree:add(aaf5_shown[name], body(at, width), value)
                end
            end
            at = at + width
        end
    end
    return at
end

local function aaf5_frame(whole, side, root)
    local bytes, size = whole:bytes(), whole:len()
    local command = whole(6, 2):le_uint()
    local good = aaf5_sum(bytes, 6, size - 2) == bytes:get_index(size - 1)
    local form = aaf5_form(side, command, size - AAF5_SMALLEST)
    local name = command .. (form and " " .. form.name or "")
    local tree = root:add(aaf5, whole(), "AA F5 " .. name)
    tree:add_le(A.command, whole(6, 2))
    tree:add(A.sequence, whole(5, 1))
    tree:add(A.info, whole(4, 1))
    tree:add(A.crc, whole(size - 1, 1), good and "sum8" or "bad")
    local wrong = not good and "checksum" or whole(4, 1):uint() >= 128 and "encrypted" or not form and "unknown_type" or nil
    if form and whole(4, 1):uint() < 128 then
        tree:add(A.layout, whole(6, 2), form.name)
        if size > AAF5_SMALLEST then
            local body = whole(8, size - AAF5_SMALLEST):tvb()
            local ends = aaf5_fields(tree, "", form.fields, body, 0)
            if ends < body:len() then
                tree:add(A.extra, body(ends), hex(body(ends)):lower())
            end
        end
    end
    if wrong then
        tree:add(A.error, whole(), wrong)
        name = name .. " (" .. wrong .. ")"
    end
    return name
end

-- Cut a stream: frames with a right sum, and what stands between them.
local function aaf5_cut(bytes)
    local found, at, told = {}, 0, 0
    while at < bytes:len() do
        if bytes:get_index(at) == 0xAA and (at + 1 == bytes:len() or bytes:get_index(at + 1) == 0xF5) then
            local left = bytes:len() - at
            local size = left >= 4 and bytes:get_index(at + 2) + 256 * bytes:get_index(at + 3) or AAF5_SMALLEST
            if left < 4 or (size >= AAF5_SMALLEST and size <= 8192 and size > left) then
                break
            end
            if size >= AAF5_SMALLEST and size <= left
                and aaf5_sum(bytes, at + 6, at + size - 2) == bytes:get_index(at + size - 1) then
                if at > told then
                    found[#found + 1] = { "noise", bytes:subset(told, at - told) }
                end
                found[#found + 1] = { "frame", bytes:subset(at, size) }
                at = at + size
                told = at
            else
                at = at + 1
            end
        else
            at = at + 1
        end
    end
    if at > told then
        found[#found + 1] = { "noise", bytes:subset(told, at - told) }
    end
    return found, at < bytes:len() and bytes:subset(at, bytes:len() - at) or ByteArray.new()
end

show_aaf5 = function(pinfo, root, tree, key, side, payload)
    if not completed[pinfo.number] then
        local bytes = waiting[key] or ByteArray.new()
        bytes:append(payload:bytes())
        local found, rest = aaf5_cut(bytes)
        waiting[key] = rest
        completed[pinfo.number] = { found, 0 }
    end
    local names = {}
    for index, each in ipairs(completed[pinfo.number][1]) do
        local whole = each[2]:tvb(string.format("%s %d", each[1], index))
        if each[1] == "noise" then
            tree:add(A.noise, whole())
            names[#names + 1] = each[2]:len() .. " bytes of no frame"
        else
            names[#names + 1] = aaf5_frame(whole, side, root)
        end
    end
    return table.concat(names, ", ")
end
