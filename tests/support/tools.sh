#!/bin/sh
# Programs that some tests run beside the product. Installs what is missing where that is possible (Debian and its
# relatives, as root, once), says in one line each what is absent and which tests will not run, and never fails.
#
# usage: tools.sh STAMP    STAMP: a file that remembers that installing was tried, so that no later run tries again

stamp=$1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

tools="tcpdump tshark mosquitto"

tests_of() {
    case $1 in
        tcpdump) echo "captures made by tcpdump on loopback" ;;
        tshark) echo "the Wireshark dissector held against decode" ;;
        mosquitto) echo "MQTT piles and MQTT forwarding against a real broker" ;;
    esac
}

missing() {
    for tool in $tools; do
        command -v "$tool" >/dev/null 2>&1 || printf '%s ' "$tool"
    done
}

# A package may start a service; a test run must not leave a broker listening. This file is how Debian says no.
policy=/usr/sbin/policy-rc.d
install_quietly() {
    own_policy=
    if [ -d /usr/sbin ] && [ ! -e "$policy" ] && [ "${TOOLS_POLICY:-yes}" = yes ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && own_policy=yes
    fi
    export DEBIAN_FRONTEND=noninteractive
    for package in "$@"; do
        get="timeout 240 apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends $package"
        $get </dev/null >/dev/null 2>&1 || {
            [ -n "$updated" ] || { updated=yes; timeout 240 apt-get -qq update </dev/null >/dev/null 2>&1; }
            $get </dev/null >/dev/null 2>&1
        }
    done
    [ -z "$own_policy" ] || rm -f "$policy"
}

absent=$(missing)
[ -n "$absent" ] || exit 0
if [ ! -e "$stamp" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing ${absent}for tests that need it (once)"
    install_quietly $absent
    mkdir -p "$(dirname "$stamp")" && : >"$stamp"
    absent=$(missing)
fi
for tool in $absent; do
    echo "$tool is missing: not run are $(tests_of "$tool"); install it with: apt-get install $tool"
done
exit 0
