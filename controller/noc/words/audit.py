"""The words of the audit log. PURE."""

WORDS = {
    "What was done": "Kilichofanywa",
    "About, as site:estate-1": "Kuhusu, kama site:estate-1",
    "About": "Kuhusu",
    "Before and after": "Kabla na baada",
    "row {n}": "safu {n}",
    "not sealed yet": "bado haijafungwa",
    "New": "Mpya",
    "Removed": "Imeondolewa",
    "changed, never shown": "imebadilishwa, haionyeshwi kamwe",
    "and one row more": "na safu moja zaidi",
    "and {n} rows more": "na safu {n} zaidi",
    "Nobody did anything like that.": "Hakuna aliyefanya kitu kama hicho.",
    "Nobody has changed anything yet.": "Bado hakuna aliyebadilisha chochote.",
}
