package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.nio.file.Path;
import java.util.List;

/** Makes machines over a socket under the name {@code vfio-user}. */
public final class VfioUserMachinePlugin implements MachinePlugin {
  /** For ServiceLoader. */
  public VfioUserMachinePlugin() {}

  @Override
  public String name() {
    return "vfio-user";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "a device that another process serves over a UNIX socket, by the vfio-user protocol; its address is " + VfioUserMachine.DEVICE;
  }

  @Override
  public List<Setting> settings() {
    return List.of(
        new Setting("socket", "", "path of the server's socket; must be given"),
        new Setting("memory", "1GiB", "bytes of memory, whole 4 KiB frames; only what is touched is taken"),
        new Setting("addressing", "translated", "translated: memory is mapped for the device on request, block by block (backend iommu); registered: all of it once (backend direct)"),
        new Setting("trusted", "true", "whether the device is trusted; an untrusted one needs translation, and edges and, with descriptors, all that it only writes are bounced"),
        new Setting("descriptors", "true", "whether memory is passed by descriptor; false has the server ask for every byte by message"),
        new Setting("dma-maps", "65535", "mappings that may live at a time, if the server does not allow fewer"),
        new Setting("address-bits", "48", "width of I/O addresses, 32..64"),
        new Setting("timeout", "5000", "milliseconds that the server may take to answer"));
  }

  @Override
  public Machine create(Settings settings) {
    if (settings.text("socket").isBlank()) {
      throw new IllegalArgumentException("setting 'socket' of vfio-user is empty; name the socket that the server listens at");
    }
    return VfioUserMachine.open(
        new VfioUserConfig(
            Path.of(settings.text("socket")),
            settings.bytes("memory"),
            settings.choice("addressing", Addressing.class) == Addressing.TRANSLATED,
            settings.flag("trusted"),
            settings.flag("descriptors"),
            settings.number("dma-maps", 1, Integer.MAX_VALUE),
            settings.number("address-bits", 32, 64),
            settings.number("timeout", 1, 3_600_000) * 1_000_000L));
  }

  private enum Addressing {
    TRANSLATED,
    REGISTERED
  }
}
