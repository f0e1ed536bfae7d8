"""Swahili for why a customer is not online, by the code of the finding. PURE."""

from controller.usecases.why_words import SAYS

_AGAIN = "Tuma ombi tena, au walipe kwa PayBill."
_BUY = "Wanunue tena, au uwape huduma."

BY_CODE: dict[str, tuple[str, str]] = {
    "paid": ("{amount} ililipwa saa {at}.", ""),
    "granted_before_money": ("Huduma ilitolewa kabla {amount} kuthibitishwa.", ""),
    "given_by_staff": ("Wafanyakazi waliitoa: hakuna cha kulipa.", ""),
    "given_by_code": ("Imelipiwa kwa vocha au tokeni.", ""),
    "bought_free": ("Kifurushi ni cha bure.", ""),
    "paid_until": ("Usajili umelipiwa hadi {until}.", ""),
    "nothing_owed": ("Hakuna deni lililopita muda.", ""),
    "never_paid": ("Mteja huyu hajawahi kununua chochote.", "Anunue kifurushi, au mpe huduma."),
    "unplaced": (
        "{amount} iliingia {ago} (risiti {receipt}), na haikujulikana ni ya nani.",
        "Fungua malipo kwenye Yasiyo sawa na uyaoanishe na mteja huyu.",
    ),
    "refused": ("Malipo ya {amount} yalikataliwa {ago}.", _AGAIN),
    "refused_no_balance": (
        "Malipo ya {amount} yalikataliwa {ago}: salio la simu halitoshi.",
        "Waongeze salio, au wachukue kifurushi kidogo.",
    ),
    "refused_cancelled": ("Walighairi ombi la {amount} {ago}.", _AGAIN),
    "refused_no_reply": (
        "Simu haikujibu ombi la {amount} {ago}.",
        "Je, simu imewashwa na iko karibu? Kisha tuma ombi tena.",
    ),
    "refused_wrong_pin": ("PIN isiyo sahihi iliandikwa kwa {amount} {ago}.", _AGAIN),
    "refused_line_busy": (
        "Ombi lingine lilikuwa wazi kwenye simu {amount} ilipoombwa {ago}.",
        "Subiri dakika moja, kisha tuma ombi tena.",
    ),
    "refused_provider_slow": ("Mtoa malipo alichelewa kwa {amount} {ago}.", _AGAIN),
    "refused_limit": (
        "Malipo ya {amount} yalizidi kikomo cha mlipaji {ago}.",
        "Walipe kwa simu nyingine, au kiasi kidogo.",
    ),
    "refused_our_side": (
        "Akaunti yetu ya malipo ilikataa {amount} {ago}.",
        "Angalia Mfumo: funguo na namba ya mtoa malipo.",
    ),
    "not_asked": (
        "Ombi la {amount} halikutoka kwetu {ago}. Hakuna kilichokatwa.",
        "Tuma ombi tena.",
    ),
    "unsure": (
        "Haijulikani kama {amount} ililipwa {ago}: mtoa malipo hakujibu.",
        "Omba risiti ya SMS yao, na uitafute kwenye Malipo. Usiseme kamwe kwamba imeshindwa.",
    ),
    "being_asked": (
        "{amount} iliombwa {ago}; simu haijajibu bado.",
        "Waweke PIN. Itakamilika yenyewe.",
    ),
    "held_debt": ("Ankara imepita muda, kwa hiyo usajili umesimamishwa.", "Pokea malipo."),
    "held_debt_amount": (
        "Ankara imepita muda, kwa hiyo usajili umesimamishwa. {amount} inaurudisha.",
        "Omba {amount}. Huduma inarudi yenyewe ikilipwa.",
    ),
    "held_unpaid": ("Pochi haina bei ya kipindi kijacho.", "Pokea malipo."),
    "held_unpaid_amount": (
        "Pochi haina bei ya kipindi kijacho. {amount} inaurudisha.",
        "Omba {amount}. Huduma inarudi yenyewe ikilipwa.",
    ),
    "held_staff": (
        "Wafanyakazi waliusimamisha usajili; pesa haibadilishi hilo.",
        "Uliza nani aliusimamisha, na uuendeleze: lango subscription resume {id}",
    ),
    "paused": ("Mteja alisitisha usajili hadi {resumes}.", "Uendeleze wakiomba."),
    "not_begun": ("Usajili unaanza {begins}.", "Hakuna: unaanza wenyewe."),
    "contract_ended": ("Usajili umeisha.", "Tengeneza usajili mpya."),
    "active_without_grant": (
        "Usajili unaendelea, na kipindi chake hakina haki ya kutumia.",
        "Endesha bili, na uangalie logi yake: hili halipaswi kuwa.",
    ),
    "no_grant_yet": ("Hakuna haki iliyotolewa, kwa sababu hakuna kilicholipwa.", ""),
    "grant_follows": ("Ililipwa {ago}; huduma inafuata.", ""),
    "paid_without_grant": (
        "Ililipwa {ago}, na huduma haikutolewa.",
        "Wape huduma, na uangalie malipo: hili halipaswi kuwa.",
    ),
    "ended": ("{plan} kiliisha {ended}.", _BUY),
    "ended_time": ("Muda wa {plan} uliisha {ended}.", _BUY),
    "ended_data": ("Data ya {plan} iliisha {ended}.", _BUY),
    "ended_renewed": ("{plan} kilifuatwa na kipindi chake kijacho {ended}.", ""),
    "ended_revoked": (
        "Wafanyakazi walisitisha {plan} {ended}.",
        "Uliza nani alisitisha na kwa nini. " + _BUY,
    ),
    "suspended": (
        "Haki ya kutumia imesimamishwa tangu {suspended}: hakuna kinachopita.",
        "Iendeleze sababu ikiisha.",
    ),
    "granted_until": ("Haki ya kutumia ni nzuri hadi {valid until}.", ""),
    "granted": ("Haki ya kutumia ni nzuri.", ""),
    "granted_unused": ("Haki ni nzuri; muda wake unaanza wakitumia mara ya kwanza.", ""),
    "nothing_to_apply": ("Hakuna ambacho kituo kingetekeleza.", ""),
    "site_not_told": (
        "Kituo {site} hakijaambiwa haki hii.",
        "Simamisha na uendeleze haki (au usajili wake): hilo linakiambia kituo upya.",
    ),
    "applied": ("{site} kimetekeleza toleo {theirs}; haki ilikuja na {ours}.", ""),
    "being_applied": ("{site} kinatekeleza sasa hivi.", ""),
    "not_applied": (
        "{site} kinajibu, lakini kimetekeleza toleo {theirs} tu; haki ilikuja na {ours}.",
        "Angalia taarifa za {site}: huenda kinakataa hali yake. Anzisha upya wakala huko.",
    ),
    "not_applied_silent": (
        "{site} hakijachukua haki: kimekuwa kimya kwa {ago}.",
        "Rudisha mawasiliano ya {site}. Haki inatekelezwa mara kinapojibu.",
    ),
    "not_applied_never": (
        "{site} hakijachukua haki: hakijawahi kuripoti.",
        "Kiunganishe: lango site join-token SITE",
    ),
    "no_session_possible": ("Bila haki hakuna muunganisho.", ""),
    "session_untold": ("{site} kiko kimya: haijulikani kama kuna muunganisho.", ""),
    "never_opened": (
        "Hakuna kifaa kilichotumia haki bado. {devices} vinaweza.",
        "Wajiunge na Wi-Fi na wafungue ukurasa wowote. Simu mpya hujiunga kwa risiti au kodi.",
    ),
    "never_dialled": (
        "Hakuna aliyeunganisha kwa jina {login} bado.",
        "Angalia jina na nenosiri kwenye router yao; ukurasa wao hapa hutoa jipya.",
    ),
    "line_ended": (
        "Muunganisho wa {login} uliisha {at}.",
        "Router yao ina umeme, waya na nenosiri sahihi? lango-agent status huko {site} husaidia.",
    ),
    "open": ("{mac} kina muunganisho, tangu {opened}.", ""),
    "closed": (
        "Muunganisho wa mwisho, wa {mac}, ulifungwa {at}.",
        "Waunganishe Wi-Fi tena na wafungue ukurasa wowote.",
    ),
    "closed_idle": (
        "{mac} kilinyamaza dakika kumi, na muunganisho wake ulifungwa {at}.",
        "Waamshe kifaa, wahakikishe Wi-Fi imewashwa, na wafungue ukurasa wowote.",
    ),
    "closed_left": ("Mteja aliondoa {mac} {at}.", "Wafungue portal na waunganishe tena."),
    "closed_moved": (
        "Huduma ilihama kutoka {mac} kwenda kifaa kingine {at}.",
        "Waihamishe tena kwenye portal, au wanunulie kifaa hiki pia.",
    ),
    "closed_revoked": ("Tulifunga muunganisho wa {mac} {at}.", "Angalia haki hapo juu."),
    "closed_time": ("Muunganisho wa {mac} uliisha {at}: muda wake uliisha.", _BUY),
    "closed_data": ("Muunganisho wa {mac} uliisha {at}: data yake iliisha.", _BUY),
    "nothing_counted": ("Bila muunganisho hakuna kinachohesabiwa.", ""),
    "counters_untold": ("Kituo kiko kimya: hesabu yake ya mwisho ni ya {ago}.", ""),
    "moving": ("Kernel inahesabu: {down} kushuka, {up} kupanda, mara ya mwisho {ago}.", ""),
    "just_opened": ("Muunganisho umefunguliwa sasa hivi: mapema mno kuhukumu.", ""),
    "no_byte": (
        "Muunganisho uko wazi, na hakuna baiti hata moja iliyopita.",
        "{mac} kisahau Wi-Fi na kijiunge tena: huenda kina anwani ya zamani. Kisha probe arp.",
    ),
    "only_up": (
        "{mac} kinatuma ({up}), na hakuna kinachorudi.",
        "Angalia mtandao wa kituo: lango probe SITE trace --wait, kisha dns.",
    ),
    "still": (
        "Hakuna kilichosogea tangu hesabu ya mwisho {ago} ({down} kushuka, {up} kupanda).",
        "Kifaa kimelala au kiko mbali: wafungue ukurasa, karibu na kituo cha Wi-Fi.",
    ),
    "no_site": ("Hakuna kituo kinachohusika.", ""),
    "heard": ("{site} kiliripoti {ago} zilizopita.", ""),
    "silent": (
        "Hakuna kilichosikika kutoka {site} kwa {ago}, tangu {at}.",
        "Umeme na mtandao wa {site}: pigia mtu aliye huko. Wateja wenye huduma wanabaki nayo.",
    ),
    "never_joined": ("{site} hakijawahi kuripoti.", "Kiunganishe: lango site join-token SITE"),
}

WORDS = {
    english: swahili
    for code, both in BY_CODE.items()
    for english, swahili in zip(SAYS[code], both, strict=True)
    if english
}
