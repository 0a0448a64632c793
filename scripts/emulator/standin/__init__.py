"""SES v2 stand-in: the sending half of Amazon SES on loopback, with a mailbox and faults on demand.

Modules import only from those above them in this list:

`errors` the answers SES gives; `wire` HTTP/1.1; `sigv4` who is calling; `request` and `mime`
what SendEmail asks for; `quota` account limits; `rules` the fault programme; `mailbox` what was
accepted; `events` and `publisher` what SES tells afterwards; `upstream` the emulator behind;
`control` and `page` the `/_standin/` side; `server` puts them together.
"""
