"""This module holds MovieLens' names of genres and occupations, in TensorFlow Datasets' code order."""

from __future__ import annotations

GENRES = (
    *("Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "IMAX", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "Unknown"),
    *("War", "Western", "(no genres listed)"),
)
# The 19 columns of u.item, in order.
FLAGS = ("Unknown", *(name for name in GENRES[:-1] if name not in {"IMAX", "Unknown"}))
GENRE_CODES = {name: code for code, name in enumerate(GENRES)} | {"Children's": 3, "unknown": 17}

OCCUPATIONS = (
    *("academic/educator", "artist", "clerical/admin", "customer service", "doctor/health care"),
    *("entertainment", "executive/managerial", "farmer", "homemaker", "lawyer", "librarian"),
    *("other/not specified", "programmer", "retired", "sales/marketing", "scientist", "self-employed"),
    *("student", "technician/engineer", "tradesman/craftsman", "unemployed", "writer"),
)
OCCUPATIONS_1M = (
    *("other/not specified", "academic/educator", "artist", "clerical/admin", "college/grad student"),
    *("customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker"),
    *("K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist", "self-employed"),
    *("technician/engineer", "tradesman/craftsman", "unemployed", "writer"),
)
# What 100K and 1M call otherwise than the common list.
OCCUPATION_SYNONYMS = {
    "administrator": "clerical/admin",
    "college/grad student": "student",
    "doctor": "doctor/health care",
    "educator": "academic/educator",
    "engineer": "technician/engineer",
    "executive": "executive/managerial",
    "healthcare": "doctor/health care",
    "K-12 student": "student",
    "marketing": "sales/marketing",
    "none": "other/not specified",
    "other": "other/not specified",
    "salesman": "sales/marketing",
    "technician": "technician/engineer",
}
OCCUPATION_CODES = {name: code for code, name in enumerate(OCCUPATIONS)}
OCCUPATION_CODES |= {name: OCCUPATION_CODES[common] for name, common in OCCUPATION_SYNONYMS.items()}
AGES = (1, 18, 25, 35, 45, 50, 56)  # where each bracket begins
