-- What was spent under spend caps, in columns of lists.
select array_agg(label) as labels, array_agg(value) as values, array_agg(hour) as hours, array_agg(in_hour) as in_hours,
    array_agg(day) as days, array_agg(in_day) as in_days, array_agg(month) as months, array_agg(in_month) as in_months
from spending
where account_id = $1
