-- What has no candle, or a doubtful one, has a reason: no_trades, gap, refused, differs, unconfirmed.
CREATE VIEW gaps AS
SELECT json_extract(detail, '$.session') AS session, run,
    json_extract(detail, '$.symbol') AS symbol,
    json_extract(detail, '$.opened_at_ms') AS opened_at_ms,
    json_extract(detail, '$.why') AS why, at_ms AS noted_at_ms
FROM system_events WHERE name = 'candle_gap';

-- Each is said once in a session, whatever its lives heard again.
CREATE UNIQUE INDEX gaps_once ON system_events (
    json_extract(detail, '$.session'), json_extract(detail, '$.symbol'),
    json_extract(detail, '$.opened_at_ms'), json_extract(detail, '$.why')
) WHERE name = 'candle_gap';
