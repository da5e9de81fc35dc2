"""A program that PyInstaller freezes → the files of this package that it takes along besides the code it finds."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("numbainit")  # built-in rules and models
