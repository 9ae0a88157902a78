-- mend_nudges: a key of another type under the name of the nudges is set aside (R25).
-- Beat calls it when its BLPOP was refused for that, so that it can listen again.
-- ARGV: now.
-- REPLY: {"OK"}
-- include: prelude
allow_when_full()
safely('LLEN', P .. 'wake:beat')
return { 'OK' }
