"""A program that PyInstaller freezes → the files of this package that it takes along besides the code it finds."""

from PyInstaller.utils.hooks import collect_data_files

#: built-in rules and models; not the machine code that Numba may keep beside the sources
datas = collect_data_files("numbainit", includes=["**/*.toml", "**/*.json"])
