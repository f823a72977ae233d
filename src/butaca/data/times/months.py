"""This module knows months in other tongues than English, as in "3 abr 2012" and "3. Mai 2012"."""

from __future__ import annotations

#: Months of each language, January first, as regular expressions of whole words without case and accents.
MONTHS = {
    "Spanish": (
        "ene|enero feb|febrero mar|marzo abr|abril may|mayo jun|junio jul|julio ago|agosto "
        "sep|sept|set|septiembre|setiembre oct|octubre nov|noviembre dic|diciembre"
    ),
    "French": (
        "janv|jan|janvier fevr|fev|fevrier mars avr|avril mai juin juil|juillet aout sept|sep|septembre "
        "oct|octobre nov|novembre dec|decembre"
    ),
    "German": (
        "jan|jaen|jaenner|janner|januar feb|februar mar|marz|maerz|mrz apr|april mai jun|juni jul|juli "
        "aug|august sep|sept|september okt|oktober nov|november dez|dezember"
    ),
    "Portuguese": (
        "jan|janeiro fev|fevereiro mar|marco abr|abril mai|maio jun|junho jul|julho ago|agosto "
        "set|setembro out|outubro nov|novembro dez|dezembro"
    ),
    "Italian": (
        "gen|gennaio feb|febbraio mar|marzo apr|aprile mag|maggio giu|giugno lug|luglio ago|agosto "
        "set|sett|settembre ott|ottobre nov|novembre dic|dicembre"
    ),
    "Dutch": (
        "jan|januari feb|februari mrt|maart apr|april mei jun|juni jul|juli aug|augustus sep|sept|september "
        "okt|oktober nov|november dec|december"
    ),
}
_ENGLISH = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

#: Words beside day, month and year: articles, and days of the week.
_BESIDE = (
    "de|del|el|le|du|den|der|di|il|do|da|op|a|"
    "lun(es|di|edi|edì)?|mar(tes|di|tedi)|mie(rcoles)?|mer(credi|coledi)?|jue(ves)?|jeu(di)?|vie(rnes)?|"
    "ven(dredi|erdi)?|sab(ado|ato)?|sam(edi|stag)?|dom(ingo|enica)?|dim(anche)?|gio(vedi)?|"
    "segunda|terca|quarta|quinta|sexta|feira|mon?tag|dienstag|mittwoch|donnerstag|freitag|sonntag|"
    "maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag"
)


def in_english(cell: str, language: str) -> str:
    """Returns the SQL of a cell whose months are those of English, with nothing but blanks between words.

    Args:
        cell: its SQL.
        language: a key of MONTHS.
    """
    words = f"lower(strip_accents({cell}))"
    marks = "([a-z0-9])[.,]( |$)|[/,-]|([a-z])[.]|([0-9])[.]([a-z])"
    bare = f"regexp_replace({words}, '{marks}', '\\1\\3\\4 \\5', 'g')"
    out = f"regexp_replace({bare}, '\\b({_BESIDE})\\b', ' ', 'g')"
    for english, own in zip(_ENGLISH, MONTHS[language].split(), strict=True):
        out = f"regexp_replace({out}, '\\b({own})\\b', '{english}')"
    return f"trim(regexp_replace({out}, '\\s+', ' ', 'g'))"
