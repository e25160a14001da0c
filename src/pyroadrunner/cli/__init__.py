"""The command ``rr``. One folder per command, whose ``command.py`` runs it.

main            reads the command line and calls the command
command_table   every command with its flags and help texts; flags: how one flag is read
help            the help pages; completion: scripts for shells
console         what every command prints with: errors, progress; palette: its colours; progress: lines that change
advice          the next step for errors that do not name one
rpc_address     where the running server is; its client is ``sdk.rpc.blocking``
plugin_names, plugin_workers    which plugins the server has, and their workers
"""
