-- What Redis keeps of an account's plan; and what was spent under spend caps, in columns of lists.
select (select plan from account_plans where account_id = $1) as plan,
    (select record from account_plans where account_id = $1) as record,
    array_agg(label) as labels, array_agg(value) as values, array_agg(hour) as hours, array_agg(in_hour) as in_hours,
    array_agg(day) as days, array_agg(in_day) as in_days, array_agg(month) as months, array_agg(in_month) as in_months
from spending
where account_id = $1
