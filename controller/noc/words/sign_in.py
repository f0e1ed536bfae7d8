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
    "Your account": "Akaunti yako",
    "You are here by the machine's own key, which has no account. lango setup-url makes the link "
    "by which you become the owner.": (
        "Umeingia kwa ufunguo wa mashine, ambao hauna akaunti. lango setup-url hutoa kiungo cha "
        "kuwa mmiliki."
    ),
    "Password of now": "Nenosiri la sasa",
    "New password": "Nenosiri jipya",
    "Change it; my other sessions and my API tokens end": (
        "Badilisha; vipindi vyangu vingine na tokeni zangu za API ziishe"
    ),
    "Authenticator app": "Programu ya uthibitisho",
    "Use this one from now on": "Tumia hii kuanzia sasa",
    "Another app or phone": "Programu au simu nyingine",
    "one is left": "imebaki moja",
    "{n} are left": "zimebaki {n}",
    "Ten new ones; the old end": "Kumi mpya; za zamani ziishe",
    "Passkeys": "Funguo za siri",
    "last used {at}": "ilitumika mwisho {at}",
    "Remove": "Ondoa",
    "A name for it": "Jina lake",
    "Add a passkey": "Ongeza ufunguo wa siri",
    "Passkeys want a name and HTTPS: set http.public_url in the configuration.": (
        "Funguo za siri zinahitaji jina na HTTPS: weka http.public_url kwenye usanidi."
    ),
    "Where you are signed in": "Ulipoingia",
    "End": "Maliza",
    "End all but this one": "Maliza vyote isipokuwa hiki",
    "API tokens": "Tokeni za API",
    "ends {at}": "inaisha {at}",
    "Revoke": "Batilisha",
    "Role": "Wadhifa",
    "Days until it ends, at most {most}": "Siku hadi iishe, zisizozidi {most}",
    "Make a token": "Tengeneza tokeni",
    "Keep it now: it is not shown again.": "Ihifadhi sasa: haitaonyeshwa tena.",
    "I have kept it": "Nimeihifadhi",
    "Done.": "Imefanyika.",
    "Done; they sign in again.": "Imefanyika; ataingia tena.",
    "It is not there any more.": "Haipo tena.",
    "owner": "mmiliki",
    "admin": "msimamizi",
    "billing": "malipo",
    "support": "huduma kwa wateja",
    "technician": "fundi",
    "cashier": "mtunza pesa",
    "read-only": "kusoma tu",
    "read_only": "kusoma tu",
    "active": "hai",
    "invited": "amealikwa",
    "disabled": "amezuiwa",
    "Name": "Jina",
    "Branches": "Matawi",
    "State": "Hali",
    "Last signed in": "Aliingia mwisho",
    "Change": "Badilisha",
    "every branch": "kila tawi",
    "Branches, apart by spaces; nothing: every branch": (
        "Matawi, yatenganishwe kwa nafasi; bila kitu: kila tawi"
    ),
    "Let in again": "Ruhusu tena",
    "Let in no more": "Zuia kuingia",
    "Reset the sign-in": "Anzisha upya kuingia",
    "Their password, app, passkeys and sessions end; you get a link for them.": (
        "Nenosiri, programu, funguo na vipindi vyao vinaisha; unapata kiungo chao."
    ),
    "Nobody has an account yet: the machine's own key opens everything.": (
        "Hakuna aliye na akaunti bado: ufunguo wa mashine unafungua kila kitu."
    ),
    "Take somebody on": "Ajiri mtu",
    "Make the link for them": "Tengeneza kiungo chao",
    "Pass this link to them alone. It works once, until {at}, and is not shown again.": (
        "Mpe kiungo hiki yeye peke yake. Kinafanya kazi mara moja, hadi {at}, na hakitaonyeshwa "
        "tena."
    ),
    "Done": "Tayari",
}
