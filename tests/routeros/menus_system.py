"""The menus of the box itself: addresses, firewall, interfaces, users, clock. PURE."""

from __future__ import annotations

from tests.routeros.schema import menu
from tests.routeros.texts import Version

RULE = """
chain            text
src-address      addresses
dst-address      addresses
src-address-list text
dst-address-list text
src-mac-address  mac:not
protocol         text
src-port         text
dst-port         text
in-interface     ref:/interface,!
out-interface    ref:/interface,!
in-interface-list text
out-interface-list text
connection-state text
connection-nat-state text
connection-mark  text
packet-mark      text
hotspot          text
layer7-protocol  text
limit            text
log              bool =false
log-prefix       text =
bytes            int ro
packets          int ro
invalid          bool ro =false
dynamic          bool ro =false
disabled         bool =false
comment          text
"""
RULE_VERBS = "move reset-counters reset-counters-all"
V6_RIGHTS = (
    "local,telnet,ssh,ftp,reboot,read,write,policy,test,winbox,password,web,sniff,sensitive,api"
    ",romon,dude,tikapp"
)
V7_RIGHTS = (
    "local,telnet,ssh,ftp,reboot,read,write,policy,test,winbox,password,web,sniff,sensitive,api"
    ",romon,rest-api"
)
V7 = Version(7)
DEVICES = "print getall listen get"
READ_WORDS = "local,telnet,ssh,reboot,read,test,winbox,password,web,sniff,sensitive,api,romon"

FIREWALL = (
    menu(
        "/ip/firewall/address-list",
        """
        list           text
        address        host
        timeout        time
        creation-time  text ro
        dynamic        bool ro =false
        disabled       bool =false
        comment        text
        """,
        required="list address",
        unique="list+address",
        duplicate="failure: already have such entry",
    ),
    menu(
        "/ip/firewall/filter",
        """
        action           enum:accept,add-dst-to-address-list,add-src-to-address-list,drop,\
fasttrack-connection,jump,log,passthrough,reject,return,tarpit =accept
        jump-target      text
        reject-with      text
        address-list     text
        address-list-timeout time:none-dynamic,none-static
        """
        + RULE,
        required="chain",
        more=RULE_VERBS,
        ordered=True,
    ),
    menu(
        "/ip/firewall/nat",
        """
        action           enum:accept,add-dst-to-address-list,add-src-to-address-list,dst-nat,jump,\
log,masquerade,netmap,passthrough,redirect,return,same,src-nat =accept
        to-addresses     addresses
        to-ports         text
        jump-target      text
        """
        + RULE,
        required="chain",
        more=RULE_VERBS,
        ordered=True,
    ),
    menu(
        "/ip/firewall/mangle",
        """
        action           enum:accept,add-dst-to-address-list,add-src-to-address-list,change-mss,\
jump,log,mark-connection,mark-packet,mark-routing,passthrough,return =accept
        new-packet-mark  text
        new-connection-mark text
        new-routing-mark text
        passthrough      bool =true
        jump-target      text
        """
        + RULE,
        required="chain",
        more=RULE_VERBS,
        ordered=True,
    ),
)

IPV6 = (
    menu(
        "/ipv6/firewall/filter",
        """
        action           enum:accept,add-dst-to-address-list,add-src-to-address-list,drop,jump,log,\
passthrough,reject,return =accept
        jump-target      text
        reject-with      text
        """
        + RULE.replace("addresses", "text"),
        required="chain",
        more=RULE_VERBS,
        ordered=True,
        since=V7,
    ),
    menu(
        "/ipv6/firewall/address-list",
        """
        list           text
        address        text
        timeout        time
        creation-time  text ro
        dynamic        bool ro =false
        disabled       bool =false
        comment        text
        """,
        required="list address",
        unique="list+address",
        duplicate="failure: already have such entry",
        since=V7,
    ),
)
"""Version 6 has these only with its package ``ipv6``, which is off where nobody turned it on."""

NETWORK = (
    menu(
        "/interface/bridge/host",
        """
        mac-address  mac
        interface    text
        on-interface text ro
        bridge       text
        local        bool ro =false
        external     bool ro =false
        invalid      bool ro =false
        dynamic      bool ro =true
        disabled     bool =false
        comment      text
        """,
        required="mac-address interface",
    ),
    menu(
        "/interface",
        """
        name           text
        default-name   text ro
        type           text ro
        mtu            text
        actual-mtu     int ro =1500
        l2mtu          int ro
        mac-address    mac ro
        last-link-up-time text ro
        link-downs     int ro =0
        rx-byte        int ro
        tx-byte        int ro
        rx-packet      int ro
        tx-packet      int ro
        rx-drop        int ro =0
        tx-drop        int ro =0
        tx-queue-drop  int ro =0
        rx-error       int ro =0
        tx-error       int ro =0
        fp-rx-byte     int ro =0
        fp-tx-byte     int ro =0
        running        bool ro =true
        slave          bool ro =false
        dynamic        bool ro
        disabled       bool =false
        comment        text
        """,
        less="add remove",
        more="reset-counters reset-counters-all",
        unique="name",
        duplicate="failure: already have interface with such name",
    ),
    menu(
        "/ip/address",
        """
        address          prefix
        network          ip
        interface        ref:/interface
        actual-interface text ro
        invalid          bool ro =false
        """
        "dynamic bool ro =false\ndisabled bool =false\ncomment text",
        required="address interface",
        unique="address+interface",
        duplicate="failure: already have such address",
    ),
    menu(
        "/ip/pool",
        "name text\nranges addresses\nnext-pool text\ncomment text 7.0+",
        required="ranges",
        unique="name",
        duplicate="failure: pool with such name exists",
    ),
    menu(
        "/ip/arp",
        """
        address     ip
        mac-address mac
        interface   ref:/interface
        published   bool =false
        status      text ro 7.0+
        invalid     bool ro =false
        DHCP        bool ro =false
        dynamic     bool ro =false
        complete    bool ro =true
        disabled    bool =false
        comment     text
        """,
        required="address interface",
        unique="address+interface",
        duplicate="failure: already have such entry",
    ),
    menu(
        "/ip/service",
        """
        name         text ro
        port         int:1-65535
        proto        text ro 7.0+
        address      prefixes =
        certificate  ref:/certificate,none
        tls-version  enum:any,only-1.2
        vrf          text =main 7.0+
        max-sessions int:1-1000 =20 7.16+
        invalid      bool ro =false
        disabled     bool =false
        """,
        less="add remove unset",
        unique="name",
    ),
    menu(
        "/ip/dhcp-server",
        """
        name          text
        interface     ref:/interface
        lease-time    time =30m
        address-pool  ref:/ip/pool,static-only =static-only
        authoritative enum:yes,no,after-2sec-delay,after-10sec-delay =yes
        use-radius    enum:yes,no,accounting =no
        lease-script  text =
        dynamic       bool ro =false
        invalid       bool ro =false
        disabled      bool =false
        comment       text
        """,
        required="interface",
        unique="name",
        duplicate="failure: already have such name",
    ),
    menu(
        "/ip/dhcp-server/lease",
        """
        address            ip
        mac-address        mac
        client-id          text
        address-lists      text =
        server             ref:/ip/dhcp-server,all
        dhcp-option        text =
        lease-time         time
        rate-limit         limit
        block-access       bool
        status             text ro =waiting
        expires-after      time ro
        last-seen          time ro =never
        age                time ro 7.15+
        active-address     text ro
        active-mac-address text ro
        active-client-id   text ro
        active-server      text ro
        host-name          text ro
        class-id           text ro 7.0+
        radius             bool ro =false
        dynamic            bool ro =false
        blocked            bool ro =false
        disabled           bool =false
        comment            text
        """,
        unique="address+server",
        duplicate="failure: already have static lease for this address",
        more="make-static",
    ),
    menu(
        "/ip/dns",
        """
        servers               addresses =
        dynamic-servers       text ro =192.168.1.1
        use-doh-server        text =
        verify-doh-cert       bool =false
        allow-remote-requests bool =true
        max-udp-packet-size   int =4096
        query-server-timeout  time =2s
        query-total-timeout   time =10s
        max-concurrent-queries int =100
        max-concurrent-tcp-sessions int =20
        cache-size            int =2048
        cache-max-ttl         time =1w
        cache-used            int ro =99
        vrf                   text =main 7.15+
        """,
        single=True,
    ),
    menu(
        "/ip/dns/static",
        """
        name     text
        address  ip
        ttl      time =1d
        dynamic  bool ro =false
        disabled bool =false
        comment  text
        """,
        required="address",
    ),
    menu(
        "/radius",
        """
        service             set:ppp,login,hotspot,wireless,dhcp,ipsec,dot1x =
        called-id           text =
        domain              text =
        address             ip
        secret              text =
        authentication-port int:1-65535 =1812
        accounting-port     int:1-65535 =1813
        timeout             time =300ms
        accounting-backup   bool =false
        realm               text =
        protocol            enum:udp,radsec =udp
        src-address         ip =0.0.0.0
        certificate         text =none
        require-message-auth enum:no,yes-for-request-resp =yes-for-request-resp 7.15+
        disabled            bool =false
        comment             text
        """,
        required="address",
        rights="policy",
        secrets=frozenset({"secret"}),
    ),
    menu(
        "/radius/incoming",
        "accept bool =false\nport int:1-65535 =3799\nvrf text =main 7.0+",
        single=True,
        rights="policy",
    ),
)

BOX = (
    menu(
        "/system/resource",
        """
        uptime              time ro
        version             text ro
        build-time          text ro
        factory-software    text ro =7.6
        free-memory         int ro =98820096
        total-memory        int ro =268435456
        cpu                 text ro =ARM
        cpu-count           int ro =4
        cpu-frequency       int ro =896
        cpu-load            int ro =3
        free-hdd-space      int ro =98041856
        total-hdd-space     int ro =134217728
        write-sect-since-reboot int ro =85
        write-sect-total    int ro =222100
        bad-blocks          text ro =0
        architecture-name   text ro =arm
        board-name          text ro
        platform            text ro =MikroTik
        """,
        single=True,
        less="set",
    ),
    menu("/system/identity", "name text =MikroTik", single=True),
    menu(
        "/system/clock",
        """
        time                  time
        date                  date
        time-zone-autodetect  bool =true
        time-zone-name        text =Africa/Nairobi
        gmt-offset            text ro =+03:00
        dst-active            bool ro =false
        """,
        single=True,
    ),
    menu(
        "/system/health",
        "voltage text ro =23.8\ntemperature text ro =39",
        single=True,
        less="set",
        before=V7,
    ),
    menu(
        "/system/health",
        "name text ro\nvalue text ro\ntype text ro",
        less="add set remove unset enable disable",
        since=V7,
        starts=(
            {".id": "*D", "name": "temperature", "value": "39", "type": "C"},
            {".id": "*E", "name": "voltage", "value": "23.8", "type": "V"},
        ),
    ),
    menu(
        "/system/device-mode",
        """
        mode       text ro =advanced
        hotspot    bool ro =true
        scheduler  bool ro =true
        fetch      bool ro =true
        container  bool ro =false
        """,
        single=True,
        less="set",
        since=Version(7, 17),
    ),
    menu(
        "/system/package",
        """
        name       text ro
        version    text ro
        build-time text ro
        scheduled  text ro =
        size       int ro 7.18+
        available  bool ro =false 7.18+
        disabled   bool ro =false
        """,
        less="add set remove unset",
    ),
    menu(
        "/system/script",
        """
        name         text
        owner        text ro
        policy       set:ftp,reboot,read,write,policy,test,password,sniff,sensitive,romon =
        dont-require-permissions bool =false
        last-started text ro
        run-count    int ro =0
        source       text =
        invalid      bool ro =false
        comment      text
        """,
        more="run",
        unique="name",
        duplicate="failure: item with this name already exists",
    ),
    menu(
        "/system/scheduler",
        """
        name       text
        start-date text
        start-time text
        interval   time =0s
        on-event   text =
        owner      text ro
        policy     set:ftp,reboot,read,write,policy,test,password,sniff,sensitive,romon =
        run-count  int ro =0
        next-run   text ro
        disabled   bool =false
        comment    text
        """,
        unique="name",
        duplicate="failure: item with this name already exists",
    ),
    menu(
        "/user/group",
        f"""
        name    text
        policy  policy:{V6_RIGHTS} = <7
        policy  policy:{V7_RIGHTS} = 7.0+
        skin    text =default
        comment text
        """,
        unique="name",
        duplicate="failure: group with the same name already exists",
        rights="policy",
    ),
    menu(
        "/user",
        """
        name           text
        group          ref:/user/group
        password       text
        address        prefixes =
        last-logged-in text ro
        expired        bool ro =false 7.0+
        inactivity-timeout time =10m 7.16+
        inactivity-policy enum:none,logout,lockscreen =none 7.16+
        disabled       bool =false
        comment        text
        """,
        required="name group",
        unique="name",
        duplicate="failure: user with the same name already exists",
        rights="policy",
    ),
    menu(
        "/user/active",
        "when text ro\nname text ro\naddress text ro\nvia text ro\nradius bool ro =false\n"
        "group text ro",
        less="add set remove unset enable disable",
    ),
    menu(
        "/log",
        "time text ro\ntopics text ro\nmessage text ro",
        less="add set remove unset enable disable",
    ),
    menu(
        "/certificate",
        """
        name             text
        common-name      text
        country          text
        organization     text
        subject-alt-name text
        key-size         text =2048
        key-usage        text =digital-signature,key-encipherment,tls-server
        days-valid       int =365
        trusted          bool =false
        private-key      bool ro
        invalid-before   text ro
        invalid-after    text ro
        expires-after    time ro
        fingerprint      text ro
        ca               text ro
        authority        bool ro
        issued           bool ro
        """,
        required="name",
        more="sign",
        unique="name",
        duplicate="failure: certificate with the same name already exists",
    ),
    menu(
        "/file",
        """
        name          text
        type          text ro
        size          int ro
        creation-time text ro <7.15
        last-modified text ro 7.15+
        contents      text
        """,
        required="name",
        unique="name",
        duplicate="failure: file with the same name already exists",
    ),
)

SYSTEM = (*FIREWALL, *IPV6, *NETWORK, *BOX)
