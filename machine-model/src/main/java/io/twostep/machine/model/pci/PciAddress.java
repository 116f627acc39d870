package io.twostep.machine.model.pci;

import io.twostep.dma.spi.DeviceAddress;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A place in the PCI tree: {@code domain:bus:device.function}, hexadecimal, ordered as the tree is. */
public record PciAddress(int domain, int bus, int device, int function) implements Comparable<PciAddress> {
  private static final Pattern FORM = Pattern.compile("([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\\.([0-7])");

  /**
   * Parse an address.
   *
   * @throws IllegalArgumentException if it does not have the form, in lower case
   */
  public static PciAddress of(DeviceAddress address) {
    Matcher m = FORM.matcher(address.text());
    if (!m.matches()) {
      throw new IllegalArgumentException(
          "'" + address + "' is not a PCI address: it must look like 0000:01:00.0 (domain:bus:device.function, lower-case hex, device 00-1f, function 0-7)");
    }
    return new PciAddress(hex(m.group(1)), hex(m.group(2)), hex(m.group(3)), hex(m.group(4)));
  }

  /** Return the requester id: bus, device and function in 16 bits. */
  public int requesterId() {
    return (bus << 8) | (device << 3) | function;
  }

  private static int hex(String digits) {
    return Integer.parseInt(digits, 16);
  }

  @Override
  public int compareTo(PciAddress other) {
    return Integer.compare((domain << 16) | requesterId(), (other.domain << 16) | other.requesterId());
  }
}
