"""A RouterOS box in memory that speaks the real API: for trying what drives MikroTik sites.

`emulator.routeros` opens a box on loopback, in plain TCP and in TLS. What it does follows the
protocol's public description and rows seen on real boxes, never what our own client expects:
the witnesses are librouteros and `witness`, a second client that shares no code with the box.

    words      length prefixes, words, sentences
    texts      how durations, rates, dates and addresses are written, and how they are read
    queries    the stack machine behind ``?name=x`` and ``?#``
    schema     what a menu is; `menus` lists them all, as tables in text
    table      the rows of one menu, their ids and their order
    commands   print, add, set, remove, move and the rest, over any menu
    box        the box itself: tables, clock, reboot; `behaviour` holds what rows cause
    hotspot, ppp, firewall, queues, traffic   what devices do and where their bytes are counted
    radius     PPPoE clients are asked of a server, and its orders obeyed; `radius_words` packets
    faults     what goes wrong on purpose
    server     connections, sign-in, tags
"""
