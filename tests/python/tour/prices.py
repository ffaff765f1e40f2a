"""The catalog says what things cost. It is applied as a YAML file, in versions that are kept for ever."""

import hashlib

from api import Api, has, later
from stubs import pricing, types

CATALOG = """
catalog: frames
meters:
  render:
    unit: second
    increment: 30
    attributes:
      resolution: [hd, 4k]
    prices:
      - {when: {resolution: hd}, price: 5}
      - {when: {resolution: 4k}, price: 12.5}
  image: {unit: image, price: {min: 2, max: 3}}
overrides:
  studio:
    image: {price: 1}
"""


def apply(api: Api) -> None:
    """A catalog is added as a version, once, and never changes afterwards"""
    # The server may be one that has sold something before.
    seen = api.prices.ApplyCatalog(pricing.ApplyCatalogRequest(yaml=CATALOG)).catalog.version
    yaml = CATALOG.replace("12.5", "20")
    looked = api.prices.ApplyCatalog(pricing.ApplyCatalogRequest(yaml=yaml, validate_only=True))
    has(looked, applied=False)
    assert [(c.what, c.old, c.new) for c in looked.changes] == [("meters.render.prices.resolution=4k", "12.5", "20")]
    assert not looked.warnings, "a new price is no warning"

    request = pricing.ApplyCatalogRequest(yaml=yaml, expected_version=seen)
    added = api.prices.ApplyCatalog(request)
    has(added, applied=True)
    has(added.catalog, version=seen + 1, effective_at=api.now(), sha256=hashlib.sha256(yaml.encode()).hexdigest())
    again = api.prices.ApplyCatalog(request)
    has(again, applied=False)
    assert again.catalog == added.catalog, "sent again it is the same version"

    # Somebody who read the catalog before that is told so.
    stale = pricing.ApplyCatalogRequest(yaml=CATALOG, expected_version=seen)
    api.refused(api.prices.ApplyCatalog, stale, "ETAG_MISMATCH", etag=str(seen + 1))

    # Every mistake is told with its line and column; nothing changes.
    broken = pricing.ApplyCatalogRequest(yaml=yaml.replace("increment: 30", "increment: 0").replace("price: 5", "price: 1e3"))
    refusal = api.invalid(api.prices.ApplyCatalog, broken, "yaml")
    places = [v.field for v in refusal.details["BadRequest"][0].field_violations]
    assert places == ["yaml[6:16]", "yaml[10:41]"], places
    past = pricing.ApplyCatalogRequest(yaml=CATALOG, effective_at=later(api.now(), -1))
    api.invalid(api.prices.ApplyCatalog, past, "effective_at")

    kept = api.prices.GetCatalog(pricing.GetCatalogRequest(version=seen))
    has(kept, yaml=CATALOG, newest_version=seen + 1)
    has(api.prices.GetCatalog(pricing.GetCatalogRequest()), yaml=yaml)
    missing = pricing.GetCatalogRequest(version=seen + 2)
    api.refused(api.prices.GetCatalog, missing, "CATALOG_NOT_FOUND", version=str(seen + 2))


def quote(api: Api) -> None:
    """A quote is a range before the run and exact after it, and changes nothing"""
    item = types.UsageItem
    usage = [item(meter="render", quantity="30.5", attributes={"resolution": "4k"}), item(meter="image", quantity="2")]
    answer = api.prices.Quote(pricing.QuoteRequest(usage=usage))
    has(answer, minimum="44", maximum="46")
    first, second = answer.lines
    has(first, meter="render", quantity="30.5", charged="60", minimum="40", maximum="40")
    has(second, meter="image", items=[1], minimum="4", maximum="6")

    # The run is over: an item whose price only it knew says it.
    api.invalid(api.prices.Quote, pricing.QuoteRequest(usage=usage, exact=True), "usage")
    usage[1].price = "2.25"
    has(api.prices.Quote(pricing.QuoteRequest(usage=usage, exact=True)), minimum="44.5", maximum="44.5")
    has(api.prices.Quote(pricing.QuoteRequest(usage=usage[:1], version=answer.version - 1)), maximum="25")
    has(api.prices.Quote(pricing.QuoteRequest(usage=[item(meter="image", quantity="2")], override="studio")), maximum="2")

    # What is unknown is never free: all of it is told, with what is known.
    wrong = [item(meter="rendre", quantity="1"), item(meter="render", quantity="1.0000001", attributes={"resolution": "8k"})]
    refusal = api.invalid(api.prices.Quote, pricing.QuoteRequest(usage=wrong), "usage")
    told = {v.field: v.description for v in refusal.details["BadRequest"][0].field_violations}
    assert set(told) == {"usage[0].meter", "usage[1].quantity", "usage[1].attributes.resolution"}, told
    assert "known: image, render" in told["usage[0].meter"] and "known: hd, 4k" in told["usage[1].attributes.resolution"]
