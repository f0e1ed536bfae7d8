"""Swahili for the set-up. PURE."""

WORDS = {
    "Set-up: {n} % done": "Usanidi: {n} % tayari",
    "{n} % done": "{n} % tayari",
    "Set-up: business": "Usanidi: biashara",
    "Set-up: plans": "Usanidi: vifurushi",
    "Set-up: first site": "Usanidi: kituo cha kwanza",
    "Set-up: backups": "Usanidi: nakala rudufu",
    "Set-up: address": "Usanidi: anwani",
    "Set-up: M-PESA": "Usanidi: M-PESA",
    "Set-up: SMS": "Usanidi: SMS",
    "Each step is kept by itself. Leave at any time and go on later.": (
        "Kila hatua huhifadhiwa yenyewe. Ondoka wakati wowote na uendelee baadaye."
    ),
    "All steps": "Hatua zote",
    "Everything is set up.": "Kila kitu kimesanidiwa.",
    "to do": "bado",
    "to be tried": "ijaribiwe",
    "done": "tayari",
    "later": "baadaye",
    "Later": "Baadaye",
    "Take it up again": "Irudie",
    "What was chosen is being taken over; this takes some seconds.": (
        "Yaliyochaguliwa yanaanza kutumika; subiri sekunde chache."
    ),
    "Kept. The controller takes it over within seconds.": (
        "Imehifadhiwa. Mfumo utaitumia baada ya sekunde chache."
    ),
    "Nothing was kept: mend what is marked.": (
        "Hakuna kilichohifadhiwa: rekebisha palipowekwa alama."
    ),
    "set in {by}": "imewekwa katika {by}",
    "Kept. Leave empty to keep it.": "Imehifadhiwa. Acha wazi ili ibaki.",
    "It is forgotten.": "Imesahauliwa.",
    "Forget it": "Isahau",
    "Forget these": "Zisahau",
    # steps
    "You": "Wewe",
    "Owner, with a second factor": "Mmiliki, mwenye uthibitisho wa pili",
    "Business": "Biashara",
    "Name, taxes and look, as customers see them": "Jina, kodi na mwonekano kwa wateja",
    "Where providers reach this controller": "Mahali watoa huduma wanapoufikia mfumo huu",
    "M-PESA": "M-PESA",
    "Keys, and one real shilling to see every hop": "Funguo, na shilingi moja kuona kila hatua",
    "SMS": "SMS",
    "Keys, and one message that is reported delivered": "Funguo, na ujumbe mmoja uliofika",
    "What you sell, from a template": "Unachouza, kutoka kiolezo",
    "First site": "Kituo cha kwanza",
    "One command on the gateway, watched until online": (
        "Amri moja kwenye lango, ukiangalia hadi iwe mtandaoni"
    ),
    "The recovery key on paper, the first backup made": (
        "Ufunguo wa kurejesha kwenye karatasi, nakala ya kwanza imetengenezwa"
    ),
    # business
    "Who sells": "Nani anauza",
    "Name of the business": "Jina la biashara",
    "Empty without one, like P051234567X": "Acha wazi kama huna, mfano P051234567X",
    "Colour": "Rangi",
    "Phone that customers call": "Simu ambayo wateja hupiga",
    "Languages of customers": "Lugha za wateja",
    "English first, Swahili too": "Kiingereza kwanza, Kiswahili pia",
    "Swahili first, English too": "Kiswahili kwanza, Kiingereza pia",
    "English only": "Kiingereza tu",
    "Swahili only": "Kiswahili tu",
    "Registered for": "Umesajiliwa kwa",
    "Excise duty on internet services": "Ushuru wa huduma za intaneti",
    "Logo": "Nembo",
    "Picture (PNG)": "Picha (PNG)",
    "There is one. Another takes its place.": "Ipo. Nyingine itachukua nafasi yake.",
    "It stands on invoices and receipts. At most 200 kB.": (
        "Iko kwenye ankara na risiti. Isizidi kB 200."
    ),
    "Keep the logo": "Hifadhi nembo",
    "The logo is kept.": "Nembo imehifadhiwa.",
    "Kept.": "Imehifadhiwa.",
    "Next: address": "Inayofuata: anwani",
    # address
    "Public address": "Anwani ya umma",
    "Like https://pay.example.co.ke: your proxy with a certificate leads it to this controller.": (
        "Mfano https://pay.example.co.ke: proksi yako yenye cheti huielekeza kwenye mfumo huu."
    ),
    "Keep and look": "Hifadhi na uangalie",
    "Look now": "Angalia sasa",
    "Passkeys of {n} of the staff are for {name}, and work at no other name. Should the name"
    " change, they sign in by password and the code of their app, and then add a passkey anew.": (
        "Funguo za siri za wafanyakazi {n} ni za {name}, na hazifanyi kazi kwa jina jingine. Jina"
        " likibadilika, wataingia kwa nenosiri na namba ya programu yao, kisha waongeze ufunguo wa"
        " siri upya."
    ),
    "End these passkeys, keep and look": "Komesha funguo hizi za siri, hifadhi na uangalie",
    "Nothing is kept yet.": "Hakuna kilichohifadhiwa bado.",
    "It ends the passkeys of {n} of the staff, too.": (
        "Inakomesha pia funguo za siri za wafanyakazi {n}."
    ),
    "What was seen there": "Kilichoonekana hapo",
    "Nobody has looked yet.": "Hakuna aliyeangalia bado.",
    "This controller answers there, with a valid certificate.": (
        "Mfumo huu unajibu hapo, kwa cheti halali."
    ),
    "Something else answers there. Let your proxy lead the address to this controller.": (
        "Kitu kingine kinajibu hapo. Elekeza anwani kwenye mfumo huu kwa proksi yako."
    ),
    "This is this machine's own address. Simulated providers reach it; nobody outside can.": (
        "Hii ni anwani ya mashine hii yenyewe. Watoa huduma wa kuigiza huifikia; wa nje hawawezi."
    ),
    "The name leads to a private address. Nobody outside can reach that: point its DNS record to"
    " your public address.": (
        "Jina linaelekea anwani ya ndani. Wa nje hawawezi kuifikia: elekeza rekodi ya DNS kwenye"
        " anwani yako ya umma."
    ),
    "The name has no address. Make a DNS record for it first.": (
        "Jina halina anwani. Tengeneza rekodi ya DNS kwanza."
    ),
    "It is not https. Safaricom calls back over https only.": (
        "Si https. Safaricom hupiga tena kwa https tu."
    ),
    "Its certificate is not valid for this name. Safaricom would refuse it.": (
        "Cheti chake si halali kwa jina hili. Safaricom ingekataa."
    ),
    "Nobody answers there. Either port 443 is closed, or this network cannot call its own public"
    " address: then look from a phone on mobile data.": (
        "Hakuna anayejibu hapo. Ama mlango 443 umefungwa, ama mtandao huu hauwezi kujipigia: basi"
        " angalia kwa simu yenye data."
    ),
    "It did not answer within 8 seconds.": "Haikujibu ndani ya sekunde 8.",
    "The answer broke off.": "Jibu lilikatika.",
    "This address cannot be read.": "Anwani hii haisomeki.",
    "It was not looked at.": "Haikuangaliwa.",
    "Checked from here": "Imekaguliwa kutoka hapa",
    "name, public address, certificate, and that it is this controller that answers": (
        "jina, anwani ya umma, cheti, na kwamba ni mfumo huu unaojibu"
    ),
    "Not checked": "Haikukaguliwa",
    "whether Safaricom's own network gets through: only a callback shows that, see the shilling in"
    " M-PESA": (
        "kama mtandao wa Safaricom unafika: hilo huonyeshwa na mwito wake tu, tazama shilingi"
        " kwenye M-PESA"
    ),
    "Next: M-PESA": "Inayofuata: M-PESA",
    # M-PESA
    "Your account with Safaricom": "Akaunti yako ya Safaricom",
    "Where": "Wapi",
    "Production: real money": "Halisi: pesa za kweli",
    "Sandbox of Safaricom": "Jaribio la Safaricom",
    "Simulated on this machine": "Kuigiza kwenye mashine hii",
    "Shortcode": "Nambari fupi",
    "PayBill, or the store number of a Till": "PayBill, au nambari ya duka la Till",
    "Till number": "Nambari ya Till",
    "Only for a Till (Buy Goods)": "Kwa Till tu (Buy Goods)",
    "Consumer key": "Consumer key",
    "Consumer secret": "Consumer secret",
    "Passkey": "Passkey",
    "From the app in the Daraja portal, developer.safaricom.co.ke. Secrets are sealed, and shown to"
    " nobody again.": (
        "Kutoka programu yako kwenye Daraja, developer.safaricom.co.ke. Siri hufungwa, na"
        " hazionyeshwi tena."
    ),
    "One real shilling": "Shilingi moja ya kweli",
    "Your phone": "Simu yako",
    "It is asked for KES 1, which stays in this phone's wallet with you.": (
        "Itaombwa KES 1, itakayobaki kwenye pochi ya simu hii kwako."
    ),
    "Ask for KES 1": "Omba KES 1",
    "The phone is asked. Watch each hop below.": "Simu imeombwa. Angalia kila hatua hapa chini.",
    "Keep the keys first.": "Hifadhi funguo kwanza.",
    "broken here": "imekatika hapa",
    "now": "sasa",
    "Safaricom is asked": "Safaricom inaombwa",
    "Safaricom has taken it": "Safaricom imepokea",
    "The prompt is on the phone, and its PIN is typed": "Ombi liko kwenye simu, na PIN imewekwa",
    "Type the M-PESA PIN on the phone.": "Weka PIN ya M-PESA kwenye simu.",
    "The prompt is over by now; Safaricom is asked what became.": (
        "Muda wa ombi umekwisha; Safaricom inaulizwa kilichotokea."
    ),
    "Safaricom calls back": "Safaricom inapiga tena",
    "Safaricom was asked instead, and answered": "Safaricom iliulizwa badala yake, ikajibu",
    "The payment is settled": "Malipo yamekamilika",
    "KES 1 is in the ledger": "KES 1 iko kwenye daftari",
    "KES 1 is in the payer's wallet": "KES 1 iko kwenye pochi ya mlipaji",
    "It is in suspense, and placed in a moment.": "Inasubiri, itawekwa baada ya muda mfupi.",
    "Put a shilling into the phone's M-PESA, then try again.": (
        "Weka shilingi kwenye M-PESA ya simu, kisha jaribu tena."
    ),
    "The prompt was cancelled on the phone: try again and type the PIN.": (
        "Ombi lilighairiwa kwenye simu: jaribu tena na uweke PIN."
    ),
    "The phone did not answer: is it on, near, and of Safaricom?": (
        "Simu haikujibu: je, imewashwa, iko karibu, na ni ya Safaricom?"
    ),
    "Try again with the right PIN; after three wrong ones M-PESA locks it.": (
        "Jaribu tena kwa PIN sahihi; baada ya makosa matatu M-PESA huifunga."
    ),
    "Another prompt is open on this phone: wait one minute.": (
        "Kuna ombi lingine kwenye simu hii: subiri dakika moja."
    ),
    "Safaricom did not take it just now: wait a minute, try again.": (
        "Safaricom haikupokea sasa hivi: subiri dakika, jaribu tena."
    ),
    "A limit of this phone or of the shortcode forbids it: use another phone.": (
        "Kikomo cha simu hii au nambari fupi kinazuia: tumia simu nyingine."
    ),
    "This phone's M-PESA cannot pay: use another phone.": (
        "M-PESA ya simu hii haiwezi kulipa: tumia simu nyingine."
    ),
    "Safaricom refuses our keys or shortcode: compare each with the Daraja portal.": (
        "Safaricom inakataa funguo au nambari fupi: linganisha kila moja na Daraja."
    ),
    "Safaricom does not know this consumer key with this consumer secret.": (
        "Safaricom haiitambui consumer key hii pamoja na consumer secret hii."
    ),
    "Shortcode and passkey do not belong together, or the app is another's.": (
        "Nambari fupi na passkey hazilingani, au programu ni ya mwingine."
    ),
    "This phone was asked too often: wait an hour, or use another.": (
        "Simu hii imeombwa mara nyingi: subiri saa moja, au tumia nyingine."
    ),
    "It waited too long to be sent: try again.": "Ilisubiri mno kutumwa: jaribu tena.",
    "No answer came from Safaricom. The prompt may be on the phone all the same.": (
        "Safaricom haikujibu. Huenda ombi liko kwenye simu hata hivyo."
    ),
    "No callback so far. If none comes, Safaricom cannot reach our address: see step Address.": (
        "Mwito haujaja bado. Usipokuja, Safaricom haifiki anwani yetu: tazama hatua ya Anwani."
    ),
    "Next: SMS": "Inayofuata: SMS",
    # SMS
    "Your account with the carrier": "Akaunti yako ya mtoa huduma wa SMS",
    "Carrier": "Mtoa huduma",
    "Africa's Talking": "Africa's Talking",
    "User name": "Jina la mtumiaji",
    "Of the app at Africa's Talking; sandbox for trying": (
        "La programu ya Africa's Talking; sandbox kwa kujaribu"
    ),
    "API key": "Ufunguo wa API",
    "Sender": "Mtumaji",
    "Your registered name; empty for a shared one": "Jina lako lililosajiliwa; wazi kwa la pamoja",
    "One message": "Ujumbe mmoja",
    "Send a message": "Tuma ujumbe",
    "It is on its way. Watch it below.": "Uko njiani. Uangalie hapa chini.",
    "Written down": "Umeandikwa",
    "Taken by the carrier": "Umepokewa na mtoa huduma",
    "Delivered to the phone": "Umefika kwenye simu",
    "Not delivered": "Haukufika",
    "The carrier's code: {code}. Compare user name, key and sender with its page.": (
        "Msimbo wa mtoa huduma: {code}. Linganisha jina, ufunguo na mtumaji na ukurasa wake."
    ),
    "No report yet. Reports come to the door sms, which is told the carrier: lango payment doors"
    " shows its address.": (
        "Hakuna ripoti bado. Ripoti huja kwenye mlango sms, ambao mtoa huduma huambiwa: lango"
        " payment doors huonyesha anwani yake."
    ),
    "Next: plans": "Inayofuata: vifurushi",
    # plans
    "Templates": "Violezo",
    "Estate hotspot": "Hotspot ya mtaa",
    "Many small purchases by phone": "Manunuzi mengi madogo kwa simu",
    "Home fibre": "Fiber ya nyumbani",
    "Monthly contracts with invoices": "Mikataba ya mwezi yenye ankara",
    "Café": "Mkahawa",
    "Guests who stay for an hour or a day": "Wageni wa saa moja au siku",
    "There are plans on sale already. These come beside them.": (
        "Kuna vifurushi vinavyouzwa tayari. Hivi vitaongezwa."
    ),
    "{n} Mb/s": "Mb/s {n}",
    "What has no price is not sold. Speeds, hours and more are made at Plans.": (
        "Kisicho na bei hakiuzwi. Kasi, saa na mengine hutengenezwa kwenye Vifurushi."
    ),
    "Sell these": "Uza hivi",
    "They are on sale.": "Vinauzwa.",
    "Next: first site": "Inayofuata: kituo cha kwanza",
    # site, backups
    "A site was online.": "Kituo kimekuwa mtandaoni.",
    "A site is one place with one gateway. Give it a name, run one command on the gateway, and"
    " watch it come online.": (
        "Kituo ni mahali pamoja penye lango moja. Kipe jina, endesha amri moja kwenye lango, na"
        " uangalie kikiingia mtandaoni."
    ),
    "Add the first site": "Ongeza kituo cha kwanza",
    "Next: backups": "Inayofuata: nakala rudufu",
    "Each night everything is kept in one encrypted file. Only the recovery key opens it on another"
    " machine. It is shown once and kept nowhere here: have pen and paper ready.": (
        "Kila usiku kila kitu huhifadhiwa kwenye faili moja iliyofungwa. Ufunguo wa kurejesha tu"
        " ndio huufungua kwenye mashine nyingine. Huonyeshwa mara moja: andaa kalamu na karatasi."
    ),
    "Make the recovery key": "Tengeneza ufunguo wa kurejesha",
    "Recovery key": "Ufunguo wa kurejesha",
    "made, and not yet shown to be kept": "umetengenezwa, bado haijathibitishwa kuwa umehifadhiwa",
    "there is one": "upo",
    "First backup": "Nakala ya kwanza",
    "made": "imetengenezwa",
    "made by itself within seconds": "itatengenezwa yenyewe kwa sekunde chache",
    "Not written down? Make another": "Hujauandika? Tengeneza mwingine",
    "Is it on paper?": "Je, uko kwenye karatasi?",
    "Its last 6 letters": "Herufi zake 6 za mwisho",
    "It is kept": "Umehifadhiwa",
    "Well kept. The first backup is made by itself.": (
        "Umehifadhiwa vizuri. Nakala ya kwanza itatengenezwa yenyewe."
    ),
    "Write it down now: it is not shown again": "Uandike sasa: hauonyeshwi tena",
    "Whoever has it and a backup has everything. Keep it away from this machine.": (
        "Aliye nao pamoja na nakala ana kila kitu. Uweke mbali na mashine hii."
    ),
    "Type its last {n} letters from the paper": "Andika herufi zake {n} za mwisho kutoka karatasi",
}
