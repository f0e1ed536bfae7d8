"""Swahili for branding, planned maintenance and promotions. PURE."""

_BRAND = {
    "Branding": "Chapa",
    "On portals, papers and messages": "Kwenye portal, karatasi na ujumbe",
    "Colour": "Rangi",
    "It is made darker or lighter where words would be hard to read.": (
        "Hufanywa nzito au nyepesi pale ambapo maneno hayangesomeka."
    ),
    "Support phone": "Simu ya msaada",
    "Customers call it from the portal. Empty: nobody.": (
        "Wateja huipiga kutoka kwenye portal. Tupu: hakuna."
    ),
    "Languages": "Lugha",
    "English first, and Swahili": "Kiingereza kwanza, na Kiswahili",
    "Swahili first, and English": "Kiswahili kwanza, na Kiingereza",
    "only English": "Kiingereza tu",
    "only Swahili": "Kiswahili tu",
    "How to pay": "Jinsi ya kulipa",
    "On invoices: Paybill 600111, account: your phone": (
        "Kwenye ankara: Paybill 600111, akaunti: simu yako"
    ),
    "Keep it": "Hifadhi",
    "Without the logo": "Bila nembo",
    "The logo below is not kept yet.": "Nembo inayoonekana bado haijahifadhiwa.",
    "The logo goes when this is kept.": "Nembo itaondoka ukihifadhi.",
    "Logo": "Nembo",
    "A PNG of at most 200 KB": "PNG isiyozidi KB 200",
    "It is made small for phones by itself.": "Hupunguzwa yenyewe kwa ajili ya simu.",
    "Try it": "Ijaribu",
    "A site that says another name, phone or language of its own keeps that."
    " Papers that were issued stay as they are.": (
        "Kituo chenye jina, simu au lugha yake hubaki nayo. Karatasi zilizotolewa hubaki zilivyo."
    ),
    "Portal on light": "Portal kwenye mwanga",
    "Portal on dark": "Portal kwenye giza",
    "An invoice": "Ankara",
    "It is kept, and on its way to every site.": "Imehifadhiwa, na inaelekea kila kituo.",
}

_MAINTENANCE = {
    "under way": "inaendelea",
    "called off": "imefutwa",
    "Only on the portal": "Kwenye portal tu",
    "By SMS, now": "Kwa SMS, sasa",
    "By SMS, an hour before": "Kwa SMS, saa moja kabla",
    "By SMS, a day before": "Kwa SMS, siku moja kabla",
    "By SMS, two days before": "Kwa SMS, siku mbili kabla",
    "Plan work": "Panga kazi",
    "Where": "Wapi",
    "branch {name}": "tawi {name}",
    "everywhere": "kila mahali",
    "From": "Kuanzia",
    "Until": "Hadi",
    "In Nairobi's time": "Kwa saa za Nairobi",
    "Unit": "Kipimo",
    "Customers are told": "Wateja huambiwa",
    "What customers read, in English": "Wateja wasomacho, kwa Kiingereza",
    "What customers read, in Swahili": "Wateja wasomacho, kwa Kiswahili",
    "What customers read": "Wateja wasomacho",
    "Like: New mast. Internet is off for a while.": (
        "Mfano: New mast. Internet is off for a while."
    ),
    "Empty: the English words": "Tupu: maneno ya Kiingereza",
    "Plan it": "Ipange",
    "Count messages and cost": "Hesabu ujumbe na gharama",
    "If customers are told by SMS": "Wateja wakiambiwa kwa SMS",
    "Messages": "Ujumbe",
    "Parts": "Sehemu",
    "Cost": "Gharama",
    "not known yet": "haijulikani bado",
    "Nothing is planned or sent yet.": "Hakuna kilichopangwa wala kutumwa bado.",
    "Count first: nothing is sent by that.": "Hesabu kwanza: hakuna kitakachotumwa.",
    "Work on the network": "Kazi kwenye mtandao",
    "Told by SMS": "Walioambiwa kwa SMS",
    "Deeds": "Matendo",
    "Call off": "Futa",
    "End now": "Maliza sasa",
    "No work is planned. While it lasts alerts are held, and portals say so.": (
        "Hakuna kazi iliyopangwa. Ikiendelea tahadhari huzuiliwa, na portal husema hivyo."
    ),
    "It is planned. Portals show it from three days before.": (
        "Imepangwa. Portal huionyesha kuanzia siku tatu kabla."
    ),
    "It is over. Who was not told yet is not told any more.": (
        "Imekwisha. Ambaye hajaambiwa haambiwi tena."
    ),
    "Maintenance": "Matengenezo",
}

_PROMOTIONS = {
    "Promotions": "Promosheni",
    "Promotion": "Promosheni",
    "Discount": "Punguzo",
    "Coupon": "Kuponi",
    "Referral": "Kuleta rafiki",
    "Loyalty": "Uaminifu",
    "runs": "inaendelea",
    "{what} off, {n} periods": "punguzo {what}, vipindi {n}",
    "{what} off": "punguzo {what}",
    "for {n} customers": "kwa wateja {n}",
    "{one} to whom brings a friend, {other} to the friend": (
        "{one} kwa anayemleta rafiki, {other} kwa rafiki"
    ),
    "{what} of each payment back": "{what} ya kila malipo hurudi",
    "{what} for every {n} paid invoices": "{what} kwa kila ankara {n} zilizolipwa",
    "only": "tu",
    "Make a promotion": "Tengeneza promosheni",
    "As it stands on invoices": "Jinsi itakavyoandikwa kwenye ankara",
    "Code": "Namba",
    "What customers type: XMAS26": "Wateja waandikacho: XMAS26",
    "For how many customers": "Kwa wateja wangapi",
    "Empty: any number": "Tupu: wowote",
    "Off, %": "Punguzo, %",
    "Off, KES": "Punguzo, KES",
    "This, or an amount": "Hii, au kiasi",
    "For how many periods": "Kwa vipindi vingapi",
    "Empty: as long as it runs": "Tupu: muda wote inapoendelea",
    "Who brings a friend gets, KES": "Anayemleta rafiki hupata, KES",
    "The friend gets, KES": "Rafiki hupata, KES",
    "Into wallets, when the friend first pays": "Kwenye pochi, rafiki anapolipa mara ya kwanza",
    "For every so many paid invoices": "Kwa kila ankara ngapi zilizolipwa",
    "Into the wallet, KES": "Kwenye pochi, KES",
    "Or back of each payment, %": "Au hurudi ya kila malipo, %",
    "Only the plan": "Mpango huu tu",
    "every plan": "kila mpango",
    "Only the segment": "Kundi hili tu",
    "every segment": "kila kundi",
    "Only the branch": "Tawi hili tu",
    "every branch": "kila tawi",
    "Empty: now": "Tupu: sasa",
    "Last day": "Siku ya mwisho",
    "Empty: no end": "Tupu: haina mwisho",
    "Make it": "Tengeneza",
    "What it gives": "Inachotoa",
    "Cost by the ledger": "Gharama kwenye daftari",
    "End it": "Imalize",
    "The cost is without taxes: what was taken off invoices, and what was given into wallets"
    " and not taken back.": (
        "Gharama ni bila kodi: kilichopunguzwa kwenye ankara, na kilichowekwa kwenye pochi"
        " bila kurudishwa."
    ),
    "No promotions yet. A discount lowers invoices, a reward goes into wallets.": (
        "Bado hakuna promosheni. Punguzo hupunguza ankara, zawadi huenda kwenye pochi."
    ),
    "The promotion is made.": "Promosheni imetengenezwa.",
    "Nobody can have it any more. Who has it keeps it.": (
        "Hakuna anayeweza kuipata tena. Aliye nayo hubaki nayo."
    ),
}

WORDS = {**_BRAND, **_MAINTENANCE, **_PROMOTIONS}
