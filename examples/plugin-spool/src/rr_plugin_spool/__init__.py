"""A plugin for pyroadrunner: hands the files of a folder to PHP workers, one after the other."""
