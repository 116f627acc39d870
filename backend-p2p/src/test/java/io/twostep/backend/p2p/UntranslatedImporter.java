package io.twostep.backend.p2p;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.ProbeDevice;

/** A second importer, behind no translation, on the same machine. */
final class UntranslatedImporter implements AutoCloseable {
  final ProbeDevice device;
  final DeviceSlot slot;
  final DirectBackend terminal = new DirectBackend();
  final DmaMapper mapper;

  UntranslatedImporter(Rig rig) {
    device = ProbeDevice.withMemory(Rig.PEER_BYTES);
    slot = rig.machine.plug(new DeviceAddress("0000:11:00.0"), device, SlotOptions.DEFAULT.withTranslation(Translation.NONE));
    slot.busMaster(true);
    mapper = DmaStack.of(terminal, rig.p2p).attach(rig.seen, slot, DeviceLimits.UNLIMITED);
  }

  @Override
  public void close() {
    assertThat(mapper.liveMappings()).isZero();
    mapper.close();
    terminal.close();
  }
}
