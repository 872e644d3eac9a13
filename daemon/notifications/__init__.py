"""People and programs are told what happened, by mail, webhook or chat, without patient data.

`process` is the notifier's process and the command; `events` finds what is news; `digest` says when
a summary is due, and of which hours; `delivery` brings messages to one address; `messages` puts
them into words; `mail`, `webhook` and `chat` are the ways there, of which `channels` says what they
share; `recipients` finds who is told; `settings_check` says what is wrong in the settings.

Nothing of a scan's path knows of it: the notifier looks at the index, as the pages do.
"""
