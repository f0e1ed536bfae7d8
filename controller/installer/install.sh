
# Makes this machine the gateway of the site named above. What it does stands in `plan`, and is
# said before anything is done. Nothing runs before the last line is there.
set -eu
umask 022
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH

PYTHON=${LANGO_PYTHON:-python3}
ROOT= DRY= START=yes REPLACE= LAN= WAN= LAN_ADDRESS= LAN_RANGE= ROUTER= ME=
STEP= TOLD= WORK= KEPT= MISSING=

usage() {
    cat <<END
Makes this machine the gateway of site $SITE.

  --dry-run          say what would be done, and do nothing
  --lan IF           the interface to the devices (a bridge, or one network card)
  --wan IF           the interface to the internet; without it, that of the default route
  --address A/24     the gateway's own address on the LAN; without it, the one that the LAN has
  --range A-B        the addresses for devices
  --router ADDRESS   a MikroTik router forwards, this machine stands beside it; with
                     --lan IF, --wan IF: interfaces of the router (else bridge and ether1)
  --replace          give up an earlier enrolment of this machine
  --no-start         install and join, and start nothing
  --root DIR         install below DIR and leave the system alone: to try it

LANGO_PYTHON=PATH    a Python that has the agent's packages already: then none is downloaded
END
}

say() { printf '%s\n' "$*"; }

refuse() {
    printf 'lango: %s\n' "$*" >&2
    exit 1
}

over() {
    code=$1
    [ -z "$WORK" ] || rm -rf "$WORK"
    if [ "$code" != 0 ] && [ -n "$TOLD" ]; then tell "step=failed&at=$STEP"; fi
    exit "$code"
}

fetch() {
    if has curl; then curl -fsS --retry 3 -m 600 -o "$2" "$1"
    elif has wget; then wget -q -T 60 -O "$2" "$1"
    else refuse "neither curl nor wget is here: apt-get install curl"
    fi
}

# That nobody hears how far this is keeps it from nothing.
tell() {
    if has curl; then curl -fsS -m 10 -o /dev/null --data "$1" "$ADDRESS/step" 2>/dev/null || :
    elif has wget; then wget -q -T 10 -t 1 -O /dev/null --post-data "$1" "$ADDRESS/step" || :
    fi
    TOLD=yes
}

has() { command -v "$1" >/dev/null 2>&1; }

is_interface() {
    case $1 in '' | *[!A-Za-z0-9._-]* | [._-]*) return 1 ;; esac
    [ "${#1}" -le 15 ]
}

is_there() { grep -q "^ *$(printf '%s' "$1" | sed 's/[.]/[.]/g'):" /proc/net/dev; }

options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) DRY=yes ;;
        --no-start) START= ;;
        --replace) REPLACE=yes ;;
        --help | -h) usage; exit 0 ;;
        --lan | --wan | --address | --range | --root | --router)
            [ $# -ge 2 ] || refuse "$1 wants a value behind it"
            case $1 in
            --lan) LAN=$2 ;;
            --wan) WAN=$2 ;;
            --address) LAN_ADDRESS=$2 ;;
            --range) LAN_RANGE=$2 ;;
            --root) ROOT=${2%/} ;;
            --router) ROUTER=$2 ;;
            esac
            shift ;;
        *) refuse "there is no option $1; --help says which there are" ;;
        esac
        shift
    done
    case $ROOT in
    '') ;;
    *[!A-Za-z0-9._/-]*) refuse "--root: want a path of letters, digits, ., _, - and /" ;;
    /*) ;;
    *) refuse "--root: want a path that begins with /" ;;
    esac
    case $LAN_ADDRESS in *[!0-9./]*) refuse "--address: want something like 10.0.0.1/24" ;; esac
    case $ROUTER in
    '') ;;
    *[!A-Za-z0-9.:-]*) refuse "--router: want the router's address, like 10.9.0.1" ;;
    esac
    case $LAN_RANGE in *[!0-9.-]*) refuse "--range: want something like 10.0.0.50-10.0.0.250" ;; esac
    HOME_DIR=$ROOT/opt/lango-agent
    TOML=$ROOT/etc/lango/agent.toml
    STATE=$ROOT/var/lib/lango-agent
    AGENT=$HOME_DIR/bin/lango-agent
}

# ---- what is here

look() {
    [ "$(uname -s)" = Linux ] || refuse "a gateway of this kind runs Linux; this is $(uname -s)"
    if [ -z "$ROOT$DRY" ] && [ "$(id -u)" != 0 ]; then
        refuse "this has to run as root: put sudo before sh"
    fi
    missing
    if [ -n "$MISSING" ]; then
        [ -z "$ROOT" ] || refuse "not installed here:$MISSING"
        has apt-get || refuse "not installed here:$MISSING; install what these are on this system"
    fi
    if has "$PYTHON"; then
        "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
            refuse "Python 3.11 or newer is wanted (Debian 12, Ubuntu 24.04); this is $("$PYTHON" -V)"
    fi
    if [ -e "$TOML" ]; then KEPT=yes
    elif [ -n "$ROUTER" ]; then beside
    else wiring
    fi
}

missing() {
    if ! has "$PYTHON"; then
        [ -z "${LANGO_PYTHON:-}" ] || refuse "LANGO_PYTHON: $PYTHON is not there"
        MISSING=" python3 python3-venv"
    elif ! "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null; then
        MISSING=" python3-venv"
    fi
    [ -z "$ROOT$ROUTER" ] || return 0
    has dnsmasq || MISSING="$MISSING dnsmasq-base"
    ldconfig -p 2>/dev/null | grep -q 'libnftables[.]so[.]1' || MISSING="$MISSING libnftables1"
}

# Beside a router: which address of this machine it is that the router reaches.
beside() {
    LAN=${LAN:-bridge} WAN=${WAN:-ether1}
    for one in "$LAN" "$WAN"; do
        case $one in *[!A-Za-z0-9._/-]*) refuse "'$one' is no name of an interface" ;; esac
    done
    [ "$LAN" != "$WAN" ] || refuse "$LAN cannot lead to the devices and to the internet"
    ME=${LAN_ADDRESS%/*}
    if [ -z "$ME" ] && has ip; then
        ME=$(ip -4 -o route get "$ROUTER" 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
    fi
    [ -n "$ME" ] || refuse "which address does the router know this machine by? Say --address A"
}

wiring() {
    [ -n "$WAN" ] || WAN=$(awk '$2 == "00000000" && $8 == "00000000" { print $1; exit }' /proc/net/route)
    [ -n "$WAN" ] || refuse "there is no way to the internet here (no default route): say --wan IF"
    [ -n "$LAN" ] || choose_lan
    for one in "$LAN" "$WAN"; do
        is_interface "$one" || refuse "'$one' is no name of an interface"
        is_there "$one" || refuse "there is no interface $one here; there are: $(interfaces | tr '\n' ' ')"
    done
    [ "$LAN" != "$WAN" ] || refuse "$LAN cannot lead to the devices and to the internet: a gateway wants two"
    number
}

interfaces() { sed -n 's/^ *\([A-Za-z0-9][A-Za-z0-9._-]*\):.*/\1/p' /proc/net/dev | grep -v '^lo$' || :; }

# Those that can lead to devices: not the uplink, not a part of a bridge, nothing that software made
# for itself. A bridge that somebody named counts.
could_be_lan() {
    for one in $(interfaces); do
        case $one in
        "$WAN" | docker* | veth* | virbr* | vnet* | br-????????????* | tun* | tap* | wg* | ppp*) continue ;;
        ifb* | dummy* | sit0 | gre* | erspan* | ip6* | ip_* | tunl0 | teql*) continue ;;
        esac
        [ ! -e "/sys/class/net/$one/brport" ] || continue
        printf '%s\n' "$one"
    done
}

choose_lan() {
    found=$(could_be_lan | tr '\n' ' ')
    found=${found% }
    case $found in
    '') refuse "a gateway wants two network interfaces, and besides $WAN there is none: add one" ;;
    *' '*)
        if ! (: </dev/tty) 2>/dev/null; then
            refuse "which interface leads to the devices? Say --lan IF; there are: $found"
        fi
        printf 'Which interface leads to the devices (%s)? ' "$found" >/dev/tty
        read -r LAN </dev/tty || LAN= ;;
    *) LAN=$found ;;
    esac
}

# The LAN's numbers: what was said, else what it has, else a network that is not here yet.
number() {
    if [ -z "$LAN_ADDRESS" ] && has ip; then
        LAN_ADDRESS=$(ip -4 -o addr show dev "$LAN" scope global | awk '{ print $4; exit }')
    fi
    if [ -z "$LAN_ADDRESS" ]; then
        LAN_ADDRESS=10.0.0.1/24
        if has ip && ip -4 -o addr | grep -q ' 10[.]0[.]0[.]'; then LAN_ADDRESS=10.77.0.1/24; fi
    fi
    [ -z "$LAN_RANGE" ] || return 0
    last=${LAN_ADDRESS%/*}
    last=${last##*.}
    case $LAN_ADDRESS in
    *.*.*.*/24) ;;
    *) refuse "$LAN has $LAN_ADDRESS: say which addresses devices get, --range FIRST-LAST" ;;
    esac
    if [ "$last" -ge 50 ] && [ "$last" -le 250 ]; then
        refuse "$LAN has $LAN_ADDRESS: say which addresses devices get, --range FIRST-LAST"
    fi
    LAN_RANGE=${LAN_ADDRESS%.*}.50-${LAN_ADDRESS%.*}.250
}

# ---- what will be done

plan() {
    if [ -n "$ROUTER" ]; then
        say "Lets this machine work beside the router of $SITE_NAME (site $SITE) of $OPERATOR:"
    else say "Makes this machine the gateway of $SITE_NAME (site $SITE) of $OPERATOR:"
    fi
    [ -z "$MISSING" ] || say "  - installs from this system's own packages:$MISSING"
    say "  - puts the agent below $HOME_DIR"
    if [ -n "${LANGO_PYTHON:-}" ]; then say "    with the Python packages of $PYTHON"
    else say "    with its Python packages, each checked by its hash"
    fi
    if [ -n "$KEPT" ]; then say "  - leaves $TOML as it is"
    elif [ -n "$ROUTER" ]; then
        say "  - writes $TOML: the router $ROUTER forwards, devices on its $LAN, this machine is $ME"
    else say "  - writes $TOML: devices on $LAN ($LAN_ADDRESS, they get $LAN_RANGE), internet on $WAN"
    fi
    if [ -n "$ROOT" ]; then say "  - leaves the system alone: all of it is below $ROOT"
    elif [ -n "$ROUTER" ]; then say "  - writes the user lango-agent and its unit"
    else say "  - writes /etc/sysctl.d/60-lango-gateway.conf (this machine forwards), the user lango-agent and its unit"
    fi
    say "  - joins at $JOIN_AT, with a code that is good once"
    if [ -n "$ROUTER" ]; then say "  - starts nothing: it says the line that is pasted into the router first"
    elif starts; then say "  - starts the agent: from then on a device behind it has no internet until it has paid"
    elif [ -n "$START" ] && [ -z "$ROOT" ]; then say "  - starts nothing, for there is no systemd here; it says how to"
    else say "  - starts nothing"
    fi
    if [ -n "$ROUTER" ]; then
        say "Nothing is changed on the router, nor in this machine's own firewall."
    else say "No rule of this machine's own firewall is touched; the agent keeps a table of its own."
    fi
}

starts() { [ -n "$START" ] && [ -z "$ROUTER" ] && [ -z "$ROOT" ] && [ -d /run/systemd/system ]; }

# ---- doing it

system_packages() {
    [ -n "$MISSING" ] || return 0
    STEP=system
    say "Installing$MISSING ..."
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get -qq update || refuse "apt-get update failed; what it said stands above"
    # shellcheck disable=SC2086 - a list of words of our own
    apt-get -qq install --yes --no-install-recommends $MISSING >/dev/null ||
        refuse "apt-get install$MISSING failed; what it said stands above"
}

software() {
    STEP=installed
    if [ "$(cat "$HOME_DIR/bundle.sha256" 2>/dev/null)" = "$BUNDLE_SHA256" ] &&
        "$AGENT" --help >/dev/null 2>&1; then
        say "The agent is here already."
    else
        say "Fetching and installing the agent ..."
        fetch "$ADDRESS/agent.tar.gz" "$WORK/agent.tar.gz" ||
            refuse "the agent could not be fetched from $ADDRESS"
        [ "$(sha256sum <"$WORK/agent.tar.gz")" = "$BUNDLE_SHA256  -" ] ||
            refuse "what came is not what the controller promised; nothing was installed"
        tar -xzf "$WORK/agent.tar.gz" -C "$WORK"
        environment
        cp "$WORK/lango-agent.service" "$WORK/60-lango-gateway.conf" "$WORK/lango-agent.conf" "$HOME_DIR/"
        printf '%s\n' "$BUNDLE_SHA256" >"$HOME_DIR/bundle.sha256"
    fi
    mkdir -p "$ROOT/usr/local/bin"
    ln -sf "$AGENT" "$ROOT/usr/local/bin/lango-agent"
    tell "step=installed"
}

environment() {
    mkdir -p "${HOME_DIR%/*}"
    if [ -n "${LANGO_PYTHON:-}" ]; then
        "$PYTHON" -m venv --without-pip --clear "$HOME_DIR"
        theirs=$("$HOME_DIR/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        "$PYTHON" -c 'import sys; print("\n".join(one for one in sys.path if one.endswith("-packages")))' \
            >"$theirs/of-lango-python.pth"
        pip() { "$PYTHON" -m pip --python "$HOME_DIR/bin/python" "$@"; }
    else
        "$HOME_DIR/bin/python" -c '' 2>/dev/null || "$PYTHON" -m venv --clear "$HOME_DIR"
        pip() { "$HOME_DIR/bin/python" -m pip "$@"; }
        pip install --quiet --disable-pip-version-check --no-input --require-hashes \
            -r "$WORK/requirements.txt" || refuse "the Python packages could not be installed"
    fi
    pip install --quiet --disable-pip-version-check --no-input --no-deps --no-index --force-reinstall \
        "$WORK"/lango-*.whl || refuse "the agent could not be installed"
}

configuration() {
    STEP=chosen
    told=$TOML
    [ -n "$KEPT" ] || write_toml
    wired=$("$HOME_DIR/bin/python" -c '
import sys
from pathlib import Path
from agent import config
try:
    told = config.load(Path(sys.argv[1]))
except config.ConfigFaults as wrong:
    sys.exit("\n".join(wrong.faults))
print(told.lan, told.wan, told.state_dir)' "$told") || refuse "$told cannot be used, as is said above"
    [ "$told" = "$TOML" ] || mv "$told" "$TOML"
    STATE=${wired#* * }
    if [ -n "$ROUTER" ]; then
        LAN=${LAN:-bridge} WAN=${WAN:-ether1}
    else
        LAN=${wired%% *}
        wired=${wired#* }
        WAN=${wired%% *}
        say "Devices are on $LAN, the internet is on $WAN."
    fi
    tell "step=chosen&lan=$LAN&wan=$WAN"
}

write_toml() {
    told=$TOML.new
    mkdir -p "${TOML%/*}"
    if [ -n "$ROUTER" ]; then
        write_router_toml
        return
    fi
    cat >"$told" <<END
# How this gateway is wired. Everything that the site sells and says comes from the controller.
state_dir = "$STATE"
plane = "linux"

[lan]
interface = "$LAN"

[wan]
interface = "$WAN"

[network]
# The agent gives the LAN this address, and its devices theirs. To change it on a working site:
# lango-agent network try --address ... --range ...
address = "$LAN_ADDRESS"
range = "$LAN_RANGE"
# Name servers on the internet; or host_resolver = true for those of this machine.
upstreams = ["9.9.9.9", "149.112.112.112"]
END
}

write_router_toml() {
    cat >"$told" <<END
# How this site is wired. Everything that it sells and says comes from the controller.
state_dir = "$STATE"
plane = "routeros"

[routeros]
host = "$ROUTER"
# What the router says when the line of lango-agent router adopt is pasted into it.
fingerprint = "0000000000000000000000000000000000000000000000000000000000000000"
user = "lango"
password_file = "$STATE/router.password"
interfaces = ["$LAN"]
portal = "$ME"
END
}

system() {
    STEP=system
    if [ -z "$ROOT" ]; then
        [ -n "$ROUTER" ] || forwarding
        user
        install -d -m 0700 "$STATE"
        chown lango-agent: "$STATE"
        mkdir -p /etc/systemd/system
        install -m 0644 "$HOME_DIR/lango-agent.service" /etc/systemd/system/lango-agent.service
    else
        mkdir -p "$STATE" "$ROOT/etc/systemd/system"
        chmod 0700 "$STATE"
        cp "$HOME_DIR/lango-agent.service" "$ROOT/etc/systemd/system/"
    fi
}

forwarding() {
    install -D -m 0644 "$HOME_DIR/60-lango-gateway.conf" /etc/sysctl.d/60-lango-gateway.conf
    sysctl -q -p /etc/sysctl.d/60-lango-gateway.conf || say "Not every line of it could be set here."
}

user() {
    install -D -m 0644 "$HOME_DIR/lango-agent.conf" /etc/sysusers.d/lango-agent.conf
    if id lango-agent >/dev/null 2>&1; then return 0; fi
    if has systemd-sysusers; then systemd-sysusers /etc/sysusers.d/lango-agent.conf
    else useradd --system --user-group --home-dir /var/lib/lango-agent --shell /usr/sbin/nologin lango-agent
    fi
}

joining() {
    STEP=joined
    known=
    if [ -e "$STATE/identity.json" ]; then
        known=$("$HOME_DIR/bin/python" -c '
import json, sys
print(json.load(open(sys.argv[1]))["site_id"])' "$STATE/identity.json") || known='a site that cannot be read'
    fi
    if [ "$known" = "$SITE" ] && [ -z "$REPLACE" ]; then
        say "This machine has joined as $SITE already."
    elif [ -n "$known" ] && [ -z "$REPLACE" ]; then
        refuse "this machine has joined as $known; --replace gives that up for $SITE"
    else
        printf '%s\n' "$TOKEN" | "$AGENT" join --config "$TOML" ${REPLACE:+--replace} ||
            refuse "it did not join; is $JOIN_AT reached from here?"
    fi
    tell "step=joined"
}

starting() {
    STEP=started
    if [ -n "$ROUTER" ]; then
        say "Below is the line for a router with RouterOS 7. For RouterOS 6 have another one made:"
        say "  lango-agent router adopt --routeros 6 --wan $WAN"
        say ""
        "$AGENT" router adopt --config "$TOML" --wan "$WAN" || refuse "there is no line, as is said above"
        say "That fingerprint is in $TOML. When it is confirmed:"
        say "  systemctl enable --now lango-agent"
        return 0
    fi
    if ! starts; then
        say "Nothing was started. To start it:"
        if [ -z "$ROOT" ] && [ -d /run/systemd/system ]; then say "  systemctl enable --now lango-agent"
        else say "  $AGENT run --config $TOML"
        fi
        return 0
    fi
    systemctl daemon-reload
    systemctl enable --quiet lango-agent
    systemctl restart lango-agent || refuse "it does not start: journalctl -u lango-agent says why"
    tell "step=started"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        if "$AGENT" status --config "$TOML" >/dev/null 2>&1; then break; fi
        sleep 2
    done
}

# Last: much of what it looks for is there only when the agent runs.
doctor() {
    STEP=checked
    [ -z "$ROUTER" ] || return 0
    code=0
    starts || say "Before it runs, some of this is not there yet:"
    "$AGENT" doctor --config "$TOML" || code=$?
    starts || return 0
    case $code in
    0 | 7) tell "step=checked&well=yes" ;;
    *)
        tell "step=checked&well=no"
        say "It runs, and something is still missing; above stands what, and what to do about it." ;;
    esac
}

main() {
    trap 'over $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    options "$@"
    look
    plan
    if [ -n "$DRY" ]; then
        say "This was a dry run: nothing was done."
        exit 0
    fi
    WORK=$(mktemp -d)
    STEP=began
    tell "step=began"
    system_packages
    software
    configuration
    system
    joining
    starting
    doctor
    if starts; then say "Done. The page of the site shows when it is online."; else say "Done."; fi
}

main "$@" </dev/null
exit
