package io.twostep.dma.spi;

import java.util.Objects;

/**
 * The name of a device's place in its machine; opaque, such as {@code 0000:01:00.0}.
 *
 * @param text the name, not blank
 */
public record DeviceAddress(String text) {
  public DeviceAddress {
    if (Objects.requireNonNull(text, "text").isBlank()) {
      throw new IllegalArgumentException("a device address must not be blank");
    }
  }

  @Override
  public String toString() {
    return text;
  }
}
