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
    "Paste this there, once, with the router's own address in place of {address}:": (
        "Bandika hii hapo, mara moja, ukiweka anwani ya ruta mahali pa {address}:"
    ),
    "On the router": "Kwenye ruta",
    "Paste the line that the command gave into a terminal, as its administrator. It says what it"
    " does, makes a user who may little, and undoes all of it after ten minutes. It holds a"
    " password: show it to nobody.": (
        "Bandika mstari uliotolewa na amri kwenye terminali, kama msimamizi wake. Husema"
        " unachofanya, huunda mtumiaji mwenye ruhusa chache, na huondoa yote baada ya dakika kumi."
        " Una nenosiri: usimwonyeshe mtu."
    ),
    "It wants another line, which this gives on the machine:": (
        "Hiyo inataka mstari mwingine, unaotolewa na hii kwenye mashine:"
    ),
    "On the machine again": "Kwenye mashine tena",
    "Write the sha256 that the router said into /etc/lango/agent.toml, as its fingerprint. Then"
    " sign in, so that nothing is undone:": (
        "Andika sha256 iliyosemwa na ruta kwenye /etc/lango/agent.toml, kama fingerprint yake."
        " Kisha ingia, ili chochote kisiondolewe:"
    ),
    "When it says that it is confirmed:": "Ikisema imethibitishwa (confirmed):",
    "The agent tells of none: beside a router it has none.": (
        "Wakala hataji chochote: kando ya ruta hana."
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
    "Interfaces": "Violesura",
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
