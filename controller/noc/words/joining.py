"""Swahili for the pages where a new site is made and its machine joins. PURE."""

WORDS = {
    "New site": "Kituo kipya",
    "Make the site": "Unda kituo",
    "Let a machine join": "Ruhusu mashine kujiunga",
    "Paste “-1.2921, 36.8219” or a link to a map. May be left empty.": (
        "Bandika “-1.2921, 36.8219” au kiungo cha ramani. Si lazima."
    ),
    "What forwards its packets": "Kinachopitisha data yake",
    "A Linux gateway": "Lango la Linux",
    "A machine with two network interfaces, Debian 12 or Ubuntu 24.04 or newer. It joins by one"
    " command.": (
        "Mashine yenye violesura viwili vya mtandao, Debian 12 au Ubuntu 24.04 au mpya zaidi."
        " Hujiunga kwa amri moja."
    ),
    "A router with RouterOS 6.49 or 7. A small Linux machine beside it joins by one command, and"
    " gives a line to paste into the router.": (
        "Ruta yenye RouterOS 6.49 au 7. Mashine ndogo ya Linux kando yake hujiunga kwa amri moja,"
        " na hutoa mstari wa kubandika kwenye ruta."
    ),
    "On the machine beside the router": "Kwenye mashine iliyo kando ya ruta",
    "Paste this there, once, with the router's address as that machine reaches it:": (
        "Bandika hii hapo, mara moja, pamoja na anwani ya ruta jinsi mashine hiyo inavyoifikia:"
    ),
    "At its end it gives one line. Paste that into a terminal of the router, as its administrator."
    " It says its plan, makes a user who may little, and undoes all of it after ten minutes, unless"
    " the agent signs in:": (
        "Mwishoni hutoa mstari mmoja. Ubandike kwenye terminal ya ruta, kama msimamizi wake. Husema"
        " mpango wake, huunda mtumiaji mwenye ruhusa chache, na huondoa yote baada ya dakika kumi,"
        " isipokuwa wakala ameingia:"
    ),
    "Before that, the SHA-256 that the router says goes into /etc/lango/agent.toml. The line holds"
    " a password: show it to nobody.": (
        "Kabla ya hapo, SHA-256 inayosemwa na ruta huwekwa kwenye /etc/lango/agent.toml. Mstari una"
        " nenosiri: usimwonyeshe mtu."
    ),
    "Small letters, digits and -, as estate-1. It stays. Empty: made from the name.": (
        "Herufi ndogo, tarakimu na -, kama estate-1. Hakibadiliki. Ukiacha wazi hutokana na jina."
    ),
    "On the gateway": "Kwenye lango",
    "{key} names this machine: no other can reach it.": (
        "{key} inataja mashine hii: nyingine haiwezi kuifikia."
    ),
    "Paste this there, once:": "Bandika hii hapo, mara moja:",
    "Code": "Msimbo",
    "SHA-256 of the script": "SHA-256 ya hati",
    "The controller is not reached by https: so the command looks at the sum before it runs"
    " anything.": (
        "Mtambo haufikiwi kwa https: kwa hiyo amri hukagua jumla kabla ya kuendesha chochote."
    ),
    "Other ways": "Njia nyingine",
    "Look at the sum first:": "Kagua jumla kwanza:",
    "See what would be done, and do nothing:": "Ona kitakachofanyika, bila kufanya chochote:",
    "Where the agent is installed already:": "Ambapo wakala amekwisha kusakinishwa:",
    "Options: --lan IF and --wan IF name the interfaces; --help tells the others.": (
        "Chaguo: --lan IF na --wan IF hutaja violesura; --help hueleza zingine."
    ),
    "There is a code, and its command was shown to whoever made it. A new code ends that one.": (
        "Kuna msimbo, na amri yake ilionyeshwa kwa aliyeuunda. Msimbo mpya hukomesha huo."
    ),
    "There is no code that is good. Make one, and the command appears here.": (
        "Hakuna msimbo unaotumika. Unda mmoja, na amri itaonekana hapa."
    ),
    "The code is used up. To put another machine in its place, make a new one.": (
        "Msimbo umetumika. Ili kuweka mashine nyingine mahali pake, unda mpya."
    ),
    "New code": "Msimbo mpya",
    "Progress": "Maendeleo",
    "To the site": "Kwenye kituo",
    "done": "imefanyika",
    "waiting for it": "inasubiriwa",
    "something is wrong": "kuna hitilafu",
    "later": "baadaye",
    "The command was started": "Amri imeanzishwa",
    "The agent is installed": "Wakala amesakinishwa",
    "LAN and WAN are chosen": "LAN na WAN zimechaguliwa",
    "Devices on {lan}, internet on {wan}.": "Vifaa kwenye {lan}, intaneti kwenye {wan}.",
    "The code was used: the machine has joined": "Msimbo umetumika: mashine imejiunga",
    "The agent is connected": "Wakala ameunganishwa",
    "Agent {version}.": "Wakala {version}.",
    "Both interfaces are there": "Violesura vyote viwili vipo",
    "The agent finds no LAN.": "Wakala haoni LAN.",
    "The agent finds no WAN.": "Wakala haoni WAN.",
    "Its clock is right": "Saa yake ni sahihi",
    "It is wrong by {n} s: run an NTP client on the machine.": (
        "Imekosea kwa sekunde {n}: endesha NTP kwenye mashine."
    ),
    "What the site sells and does is applied": "Kinachouzwa na kufanywa na kituo kimetekelezwa",
    "Generation {generation}, digest {digest}.": "Toleo {generation}, muhtasari {digest}.",
    "The portal is open": "Tovuti imefunguliwa",
    "This agent does not say.": "Wakala huyu hasemi.",
    "It cannot be opened yet: is the LAN there?": "Haiwezi kufunguliwa bado: je, LAN ipo?",
    "The site is online": "Kituo kiko mtandaoni",
    "It was, and has gone silent.": "Kilikuwa, na sasa kimenyamaza.",
    "It stopped while it set up the system. The terminal says why.": (
        "Ilisimama ikiandaa mfumo. Sababu iko kwenye terminali."
    ),
    "It stopped while it installed the agent. The terminal says why.": (
        "Ilisimama ikisakinisha wakala. Sababu iko kwenye terminali."
    ),
    "It stopped at the configuration. The terminal says why.": (
        "Ilisimama kwenye usanidi. Sababu iko kwenye terminali."
    ),
    "It could not join. Does the machine reach the controller's join port?": (
        "Haikuweza kujiunga. Je, mashine inafikia mlango wa kujiunga wa mtambo?"
    ),
    "The agent does not start. journalctl -u lango-agent says why.": (
        "Wakala haanzi. Sababu iko katika journalctl -u lango-agent."
    ),
    "It stopped. The terminal says why; the command can be run again.": (
        "Ilisimama. Sababu iko kwenye terminali; amri inaweza kuendeshwa tena."
    ),
}
