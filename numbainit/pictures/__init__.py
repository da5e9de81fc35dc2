"""Figures → pictures: one style, for light and dark pages, by matplotlib (extra ``plot``)."""
