"""Swahili for coming in, one's own account, and the staff. PURE."""

WORDS = {
    "This is not the staff key.": "Huu si ufunguo wa wafanyakazi.",
    "There is an owner by now: sign in with your own account.": (
        "Tayari kuna mmiliki: ingia kwa akaunti yako."
    ),
    "These do not fit.": "Haya hayalingani.",
    "This code does not fit.": "Nambari hii si sahihi.",
    "This took too long. Begin again.": "Muda umepita. Anza tena.",
    "Too many tries. Wait {s} s, then try again.": (
        "Majaribio mengi mno. Subiri sekunde {s}, kisha ujaribu tena."
    ),
    "This link was used, or is too old. Ask for a new one.": (
        "Kiungo hiki kimetumika au kimepitwa na wakati. Omba kipya."
    ),
    "Somebody else signs in with this.": "Mtu mwingine anatumia hii kuingia.",
    "The two passwords differ.": "Manenosiri mawili hayafanani.",
    "E-mail or phone": "Barua pepe au simu",
    "Password": "Nenosiri",
    "The passkey did not work.": "Ufunguo wa siri haukufanya kazi.",
    "Use a passkey": "Tumia ufunguo wa siri",
    "Nobody owns this controller yet: the machine's key opens it. lango setup-url makes the link "
    "by which you become its owner.": (
        "Hakuna mmiliki bado: ufunguo wa mashine unaifungua. lango setup-url hutoa kiungo cha "
        "kuwa mmiliki."
    ),
    "Staff key": "Ufunguo wa wafanyakazi",
    "It is in keys.json of the controller's state directory; lango trial prints it.": (
        "Uko kwenye keys.json katika folda ya hali ya kidhibiti; lango trial huuonyesha."
    ),
    "Open with the key": "Fungua kwa ufunguo",
    "Code of your authenticator app": "Nambari ya programu yako ya uthibitisho",
    "Without your phone: one of your recovery codes.": (
        "Bila simu yako: mojawapo ya nambari zako za dharura."
    ),
    "Go on": "Endelea",
    "Begin again": "Anza tena",
    "Welcome": "Karibu",
    "Welcome, {name}. Choose how you sign in.": "Karibu, {name}. Chagua jinsi utakavyoingia.",
    "You become the owner of this controller. Choose how you sign in.": (
        "Unakuwa mmiliki wa kidhibiti hiki. Chagua jinsi utakavyoingia."
    ),
    "Your name": "Jina lako",
    "E-mail or phone, to sign in with": "Barua pepe au simu ya kuingia",
    "Password, at least 10 characters": "Nenosiri, angalau herufi 10",
    "The same again": "Lile lile tena",
    "Read this with an authenticator app on your phone (Google Authenticator, Aegis, …):": (
        "Soma hii kwa programu ya uthibitisho kwenye simu yako (Google Authenticator, Aegis, …):"
    ),
    "QR code for the authenticator app": "Msimbo wa QR wa programu ya uthibitisho",
    "Or type it there:": "Au iandike humo:",
    "The code that the app shows": "Nambari inayoonyeshwa na programu",
    "Recovery codes": "Nambari za dharura",
    "Each opens once, in place of your phone. Print them or write them down now: they are not "
    "shown again.": (
        "Kila moja hufungua mara moja badala ya simu yako. Zichapishe au uziandike sasa: "
        "hazitaonyeshwa tena."
    ),
    "I have kept them": "Nimezihifadhi",
}
