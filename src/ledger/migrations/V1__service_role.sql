-- 1. Who writes.
--
-- Migrations run as the owner of the database. Serving connections take the role `holdbook_service`, which gets, table by
-- table, only the rights that it needs: the rows of the ledger are append-only because the database refuses the rest, not
-- because the code is careful. Roles belong to the whole server, so the role may be there already, and another database
-- may be creating it at this moment.

do $$
begin
    create role holdbook_service nologin;
exception
    when duplicate_object or unique_violation then null;
end
$$;

-- The one who migrates may serve too. With separate logins, an operator grants the role to the serving one.
do $$
begin
    if not pg_has_role(current_user, 'holdbook_service', 'member') then
        execute format('grant holdbook_service to %I', current_user);
    end if;
end
$$;

grant usage on schema public to holdbook_service;
-- So that a start can see whether the schema is the one that it was built for.
grant select on refinery_schema_history to holdbook_service;
