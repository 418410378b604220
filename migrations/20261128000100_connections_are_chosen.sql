-- For which calls an account is used in place of the one that its owner's agents usually use: conditions as policies write
-- them, in their canonical text; empty for none.

alter table connections
    add column account_if text not null default '' constraint connections_account_if_length check (octet_length(account_if) <= 20000);
