-- The provider whose callback a client was registered with, where that is another one of the same authorization server: both
-- share the client. It is no reference, for the callback stays registered there when that provider is deleted here.

alter table providers add column callback_id uuid;
