"""Reads a QR code off a picture of a page, as a phone's camera would."""

from __future__ import annotations

import base64

import zxingcpp
from playwright.sync_api import BrowserContext

# Brightness alone: what the reader wants, and a third of the bytes.
_GREY = """async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const { width, height } = image;
  const drawing = new OffscreenCanvas(width, height).getContext("2d");
  drawing.drawImage(image, 0, 0);
  const { data } = drawing.getImageData(0, 0, width, height);
  let grey = "";
  for (let at = 1; at < data.length; at += 4) grey += String.fromCharCode(data[at]);
  return { width, height, grey: btoa(grey) };
}"""


def codes_in(context: BrowserContext, png: bytes) -> list[str]:
    """What the QR codes in a screenshot say."""
    page = context.new_page()
    found = page.evaluate(_GREY, f"data:image/png;base64,{base64.b64encode(png).decode()}")
    page.close()
    grey = base64.b64decode(found["grey"])
    pixels = memoryview(grey).cast("B", shape=[found["height"], found["width"]])
    return [
        each.text
        for each in zxingcpp.read_barcodes(
            pixels, formats=zxingcpp.barcode_formats_from_str("QRCode")
        )
    ]
