"""Every menu that the box has, as tables in text. PURE.

Attributes and their printed forms follow the public dumps of the command tree and rows seen on
real boxes. Figures that only the moment knows (``ro`` without a default) come from `behaviour`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.routeros.menus_system import SYSTEM
from tests.routeros.schema import menu

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.routeros.schema import Menu
    from tests.routeros.texts import Version

FLAGS = """
dynamic   bool ro =false
disabled  bool =false
comment   text
"""

QUEUES = (
    menu(
        "/queue/simple",
        """
        name             text
        target           target  =
        dst              text
        parent           ref:/queue/simple,none =none
        packet-marks     text    =
        priority         ints:1-8 =8/8
        queue            refs:/queue/type =default-small/default-small
        limit-at         rates   =0/0
        max-limit        rates   =0/0
        burst-limit      rates   =0/0
        burst-threshold  rates   =0/0
        burst-time       times   =0s/0s
        bucket-size      text    =0.1/0.1
        time             text
        total-queue      ref:/queue/type
        total-max-limit  rate
        total-limit-at   rate
        total-priority   int:1-8
        total-burst-limit rate
        total-burst-threshold rate
        total-burst-time time
        total-bucket-size text
        bytes            text ro
        packets          text ro
        dropped          text ro =0/0
        rate             text ro =0/0
        packet-rate      text ro =0/0
        queued-bytes     text ro =0/0
        queued-packets   text ro =0/0
        total-bytes      text ro =0
        total-packets    text ro =0
        total-dropped    text ro =0
        total-rate       text ro =0
        total-packet-rate text ro =0
        total-queued-bytes text ro =0
        total-queued-packets text ro =0
        invalid          bool ro =false
        """
        + FLAGS,
        more="move reset-counters reset-counters-all",
        unique="name",
        duplicate="failure: already have such name",
        ordered=True,
    ),
    menu(
        "/queue/tree",
        """
        name             text
        parent           ref:/interface,global,global-in,global-out
        packet-mark      text =
        priority         int:1-8 =8
        queue            ref:/queue/type =default-small
        limit-at         rate =0
        max-limit        rate =0
        burst-limit      rate =0
        burst-threshold  rate =0
        burst-time       time =0s
        bucket-size      text =0.1
        bytes            text ro
        packets          text ro
        dropped          text ro =0
        rate             text ro =0
        packet-rate      text ro =0
        queued-bytes     text ro =0
        queued-packets   text ro =0
        invalid          bool ro =false
        disabled         bool =false
        comment          text
        """,
        required="parent",
        more="move reset-counters reset-counters-all",
        unique="name",
        duplicate="failure: already have such name",
        first_id=0x100_0000,
    ),
    menu(
        "/queue/type",
        """
        name           text
        kind           enum:bfifo,pfifo,mq-pfifo,none,pcq,red,sfq <7
        kind           enum:bfifo,pfifo,mq-pfifo,none,pcq,red,sfq,codel,fq-codel,cake 7.0+
        bfifo-limit    int
        pfifo-limit    int
        mq-pfifo-limit int
        red-limit      int
        red-min-threshold int
        red-max-threshold int
        red-burst      int
        red-avg-packet int
        sfq-perturb    int
        sfq-allot      int
        pcq-rate       rate
        pcq-limit      int
        pcq-classifier set:src-address,dst-address,src-port,dst-port
        pcq-total-limit int
        pcq-burst-rate rate
        pcq-burst-threshold rate
        pcq-burst-time time
        pcq-src-address-mask int:0-32
        pcq-dst-address-mask int:0-32
        pcq-src-address6-mask int:0-128
        pcq-dst-address6-mask int:0-128
        codel-limit    int 7.0+
        codel-target   time 7.0+
        codel-interval time 7.0+
        codel-ecn      bool 7.0+
        fq-codel-limit int 7.0+
        fq-codel-flows int 7.0+
        fq-codel-quantum int 7.0+
        fq-codel-target time 7.0+
        fq-codel-interval time 7.0+
        fq-codel-ecn   bool 7.0+
        cake-bandwidth rate 7.0+
        cake-flowmode  text 7.0+
        cake-diffserv  text 7.0+
        cake-nat       bool 7.0+
        cake-rtt       time 7.0+
        default        bool ro =false
        """,
        required="kind name",
        unique="name",
        duplicate="failure: already have such name",
        starts=(
            {".id": "*FFFFFFFE", "name": "default-small", "kind": "pfifo", "pfifo-limit": "10"},
            {
                ".id": "*FFFFFFFB",
                "name": "pcq-download-default",
                "kind": "pcq",
                "pcq-rate": "0",
                "pcq-limit": "50",
                "pcq-classifier": "dst-address",
                "pcq-total-limit": "2000",
            },
            {
                ".id": "*FFFFFFFA",
                "name": "pcq-upload-default",
                "kind": "pcq",
                "pcq-rate": "0",
                "pcq-limit": "50",
                "pcq-classifier": "src-address",
                "pcq-total-limit": "2000",
            },
            {".id": "*FFFFFFF9", "name": "hotspot-default", "kind": "sfq", "sfq-perturb": "5"},
            {".id": "*FFFFFFF8", "name": "synchronous-default", "kind": "red", "red-limit": "60"},
            {".id": "*FFFFFFF7", "name": "wireless-default", "kind": "sfq", "sfq-perturb": "5"},
            {".id": "*FFFFFFF6", "name": "ethernet-default", "kind": "pfifo", "pfifo-limit": "50"},
            {".id": "*FFFFFFF5", "name": "default", "kind": "pfifo", "pfifo-limit": "50"},
        ),
    ),
)

HOTSPOT = (
    menu(
        "/ip/hotspot",
        """
        name              text
        interface         ref:/interface
        address-pool      ref:/ip/pool,none =none
        profile           ref:/ip/hotspot/profile =default
        idle-timeout      time:none =5m
        keepalive-timeout time:none =none
        login-timeout     time:none =none
        addresses-per-mac text =2
        proxy-status      text ro =running
        ip-of-dns-name    text ro =0.0.0.0
        invalid           bool ro =false
        HTTPS             bool ro =false
        disabled          bool =false
        comment           text
        """,
        required="interface",
        unique="name",
        duplicate="failure: already have such name",
    ),
    menu(
        "/ip/hotspot/profile",
        """
        name              text
        hotspot-address   ip =0.0.0.0
        dns-name          text =
        html-directory    text =hotspot
        html-directory-override text =
        rate-limit        limit =
        http-proxy        text =0.0.0.0:0
        smtp-server       ip =0.0.0.0
        login-by          set:mac,cookie,http-chap,https,http-pap,trial,mac-cookie =cookie,http-chap
        http-cookie-lifetime time =3d
        split-user-domain bool =false
        use-radius        bool =false
        radius-accounting bool =true
        radius-interim-update time:received =received
        nas-port-type     text =wireless-802.11
        radius-default-domain text =
        radius-location-id text =
        radius-location-name text =
        radius-mac-format text =XX:XX:XX:XX:XX:XX
        mac-auth-mode     enum:mac-as-username,mac-as-username-and-password
        mac-auth-password text
        ssl-certificate   text
        trial-uptime-limit time
        trial-uptime-reset time
        trial-user-profile ref:/ip/hotspot/user/profile
        install-hotspot-queue bool =false 7.0+
        default           bool ro =false
        """,
        unique="name",
        duplicate="failure: already have profile with such name",
        starts=({"name": "default", "default": "true"},),
    ),
    menu(
        "/ip/hotspot/user",
        """
        server         ref:/ip/hotspot,all =all
        name           text
        password       text =
        profile        ref:/ip/hotspot/user/profile =default
        mac-address    mac
        address        ip
        routes         text
        email          text
        limit-uptime   time
        limit-bytes-in int
        limit-bytes-out int
        limit-bytes-total int
        otp-secret     text 7.21.3+
        uptime         time ro =0s
        bytes-in       int ro =0
        bytes-out      int ro =0
        packets-in     int ro =0
        packets-out    int ro =0
        """
        + FLAGS,
        required="name",
        more="reset-counters reset-counters-all",
        unique="name+server",
        duplicate="failure: already have user with this name for this server",
        secrets=frozenset({"password"}),
        starts=(
            {
                ".id": "*FFFFFFFE",
                "name": "default-trial",
                "comment": "counters and limits for trial users",
                "default": "true",
            },
        ),
    ),
    menu(
        "/ip/hotspot/user/profile",
        """
        name              text
        address-pool      ref:/ip/pool,none =none
        session-timeout   time:none
        idle-timeout      time:none =none
        keepalive-timeout time:none =2m
        status-autorefresh time:none =1m
        shared-users      figure:unlimited =1
        add-mac-cookie    bool =true
        mac-cookie-timeout time =3d
        rate-limit        limit =
        address-list      text =
        incoming-filter   text
        outgoing-filter   text
        incoming-packet-mark text
        outgoing-packet-mark text
        parent-queue      ref:/queue/simple,none =none
        queue-type        refs:/queue/type
        insert-queue-before text =bottom 7.0+
        transparent-proxy bool =false
        open-status-page  enum:always,http-login =always
        advertise         bool =false
        on-login          text =
        on-logout         text =
        default           bool ro =false
        """,
        unique="name",
        duplicate="failure: already have profile with such name",
        starts=({"name": "default", "default": "true"},),
    ),
    menu(
        "/ip/hotspot/active",
        """
        server            text ro
        user              text ro
        address           ip ro
        mac-address       mac ro
        login-by          text ro
        uptime            time ro
        idle-time         time ro
        session-time-left time ro
        idle-timeout      time ro
        keepalive-timeout time ro
        bytes-in          int ro
        bytes-out         int ro
        packets-in        int ro
        packets-out       int ro
        limit-bytes-in    int ro
        limit-bytes-out   int ro
        limit-bytes-total int ro
        radius            bool ro =false
        comment           text ro
        """,
        less="add set unset enable disable",
        more="login",
    ),
    menu(
        "/ip/hotspot/host",
        """
        mac-address       mac ro
        address           ip ro
        to-address        ip ro
        server            text ro
        bridge-port       text ro
        uptime            time ro
        idle-time         time ro
        keepalive-timeout time ro =2m
        host-dead-time    time ro =0s
        bytes-in          int ro
        bytes-out         int ro
        packets-in        int ro
        packets-out       int ro
        found-by          text ro
        DHCP              bool ro
        authorized        bool ro
        bypassed          bool ro
        blocked           bool ro
        dynamic           bool ro =false
        static            bool ro =false
        comment           text ro
        """,
        less="add set unset enable disable",
        more="make-binding",
    ),
    menu(
        "/ip/hotspot/ip-binding",
        """
        mac-address  mac
        address      addresses
        to-address   addresses
        server       ref:/ip/hotspot,all =all
        type         enum:regular,bypassed,blocked =regular
        blocked      bool ro
        bypassed     bool ro
        disabled     bool =false
        comment      text
        """,
        more="move",
        ordered=True,
    ),
    menu(
        "/ip/hotspot/cookie",
        """
        user         text ro
        domain       text ro
        mac-address  mac ro
        expires-in   time ro
        mac-cookie   bool ro =false
        """,
        less="add set unset enable disable",
    ),
    menu(
        "/ip/hotspot/walled-garden",
        """
        action       enum:allow,deny =allow
        server       ref:/ip/hotspot
        src-address  addresses
        dst-address  addresses
        method       text
        dst-host     text
        dst-port     text
        path         text
        hits         int ro =0
        """
        + FLAGS,
        more="move reset-counters reset-counters-all",
        ordered=True,
    ),
    menu(
        "/ip/hotspot/walled-garden/ip",
        """
        action       enum:accept,drop,reject =accept
        server       ref:/ip/hotspot
        src-address  addresses
        src-address-list text
        dst-address  addresses
        dst-address-list text
        protocol     text
        dst-host     text
        dst-port     text
        invalid      bool ro =false
        """
        + FLAGS,
        more="move",
        ordered=True,
    ),
)

# Version 6 asks about IPv6 in a profile only with its package ``ipv6``.
PPP = (
    menu(
        "/ppp/profile",
        """
        name              text
        local-address     text
        remote-address    text
        remote-ipv6-prefix-pool text
        bridge            text
        bridge-learning   enum:default,yes,no =default
        use-mpls          enum:default,yes,no,required =default
        use-compression   enum:default,yes,no =default
        use-encryption    enum:default,yes,no,required =default
        only-one          enum:default,yes,no =default
        change-tcp-mss    enum:default,yes,no =yes
        use-upnp          enum:default,yes,no =default
        use-ipv6          enum:default,yes,no,required =yes 7.0+
        session-timeout   time:none
        idle-timeout      time:none
        rate-limit        limit
        parent-queue      ref:/queue/simple,none
        queue-type        refs:/queue/type
        insert-queue-before text
        address-list      text =
        dns-server        text
        wins-server       text
        incoming-filter   text
        outgoing-filter   text
        interface-list    text
        on-up             text =
        on-down           text =
        default           bool ro =false
        comment           text
        """,
        unique="name",
        duplicate="failure: profile with the same name already exists",
        starts=(
            {".id": "*0", "name": "default", "default": "true"},
            {
                ".id": "*FFFFFFFE",
                "name": "default-encryption",
                "use-encryption": "yes",
                "default": "true",
            },
        ),
    ),
    menu(
        "/interface/pppoe-server/server",
        """
        service-name         text =service1
        interface            ref:/interface
        max-mtu              text =auto
        max-mru              text =auto
        mrru                 text =disabled
        authentication       set:pap,chap,mschap1,mschap2 =pap,chap,mschap1,mschap2
        keepalive-timeout    text =10
        one-session-per-host bool =false
        max-sessions         text =unlimited
        pado-delay           text =0
        default-profile      ref:/ppp/profile =default
        invalid              bool ro =false
        disabled             bool =true
        comment              text 7.0+
        """,
        required="interface",
    ),
    menu(
        "/ppp/aaa",
        """
        use-radius             bool =false
        accounting             bool =true
        interim-update         time =0s
        use-circuit-id-in-nas-port-id bool =false 7.0+
        enable-ipv6-accounting bool =false 7.15+
        """,
        single=True,
    ),
    menu(
        "/ppp/secret",
        """
        name             text
        service          enum:any,async,l2tp,ovpn,pppoe,pptp,sstp =any
        caller-id        text =
        password         text =
        profile          ref:/ppp/profile =default
        local-address    text
        remote-address   text
        remote-ipv6-prefix text
        routes           text =
        ipv6-routes      text = 7.0+
        limit-bytes-in   int =0
        limit-bytes-out  int =0
        last-logged-out  text ro
        last-caller-id   text ro 6.45+
        last-disconnect-reason text ro 6.45+
        disabled         bool =false
        comment          text
        """,
        required="name",
        unique="name+service",
        duplicate="failure: secret with the same name already exists",
        secrets=frozenset({"password"}),
    ),
    menu(
        "/ppp/active",
        """
        name             text ro
        service          text ro
        caller-id        text ro
        address          ip ro
        uptime           time ro
        encoding         text ro =
        session-id       text ro
        limit-bytes-in   int ro =0
        limit-bytes-out  int ro =0
        radius           bool ro =false
        comment          text ro
        """,
        less="add set unset enable disable",
        first_id=0x8000_0000,
    ),
)

MENUS = (*QUEUES, *HOTSPOT, *PPP, *SYSTEM)


@cache
def menus(version: Version) -> Mapping[str, Menu]:
    """Every menu of this version, with the attributes it has there."""
    return {m.path: m.at(version) for m in MENUS if m.since <= version < m.before}
