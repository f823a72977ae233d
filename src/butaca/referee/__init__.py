"""This room holds the referee: protocols over models of any library, judged alike, written as one page."""
