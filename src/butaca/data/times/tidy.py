"""This module tidies dates as programs and people write them, so that patterns of strptime read them.

| a cell | becomes |
|---|---|
| 9/3/2021, 1:05:07 p. m. | 9/3/2021 1:05:07 pm |
| Tue Mar 09 2021 13:05:07 GMT+0200 (CEST) | Tue Mar 09 2021 13:05:07 +0200 |
| March 9th, 2021 | March 9 2021 |
| 2021年3月9日 | 2021-3-9 |
| 2021-03-09 13:05:07,123 | 2021-03-09 13:05:07.123 |
| 2021-03, 2021-Q2, 2021-W10 | 2021-03-01, 2021-4-01, 2021-W10-1 |
"""

from __future__ import annotations

#: SQL of a cell by what is tidied, "{cell}" being the cell; NULL where it is none such.
_BLANKS = "translate({cell}, '\u00a0\u202f\u2009,', '   ')"
_HALVES = f"regexp_replace({_BLANKS}, '\\b([apAP])[. ]*[mM][.]?$', '\\1m')"
_ZONES = f"regexp_replace(regexp_replace({_HALVES}, ' [(].*[)]$', ''), '(GMT|UTC)([+-])', '\\2')"
_ORDINALS = f"regexp_replace({_ZONES}, '([0-9])(st|nd|rd|th|º|ª)\\b', '\\1')"
_EAST = f"regexp_replace(translate({_ORDINALS}, '年월月년日일', '---- '), '- +', '-', 'g')"
WORDS_AND_CLOCKS = f"trim(ltrim(regexp_replace({_EAST}, ' +', ' ', 'g'), ''''))"
DECIMAL_COMMA = (
    "CASE WHEN regexp_matches({cell}, '[0-9],[0-9]+Z?$') THEN rtrim(replace({cell}, ',', '.'), 'Z') END"
)
MONTHS_ALONE = (
    "CASE WHEN regexp_full_match({cell}, '[0-9]{{4}}[-/][0-9]{{1,2}}') "
    "THEN replace({cell}, '/', '-') || '-01' "
    "WHEN regexp_full_match({cell}, '[0-9]{{1,2}}[-/][0-9]{{4}}') "
    "THEN regexp_replace({cell}, '([0-9]+).([0-9]+)', '\\2-\\1-01') END"
)
QUARTERS = (
    "CASE WHEN regexp_full_match({cell}, '[0-9]{{4}}[- ]?[QT][1-4]') "
    "THEN left({cell}, 4) || '-' || (3 * right({cell}, 1)::INTEGER - 2) || '-01' END"
)
WEEKS = (
    "CASE WHEN regexp_full_match({cell}, '[0-9]{{4}}-W[0-9]{{2}}') THEN {cell} || '-1' "
    "WHEN regexp_full_match({cell}, '[0-9]{{4}}-W[0-9]{{2}}-[1-7]') THEN {cell} END"
)
DAYS_OF_YEARS = "CASE WHEN regexp_full_match({cell}, '[0-9]{{4}}-[0-9]{{3}}') THEN {cell} END"
