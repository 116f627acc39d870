package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.AdditionalAnswers.delegatesTo;
import static org.mockito.ArgumentMatchers.anyBoolean;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.ArgumentMatchers.eq;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.inOrder;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.times;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.withSettings;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.mockito.InOrder;
import org.mockito.MockMakers;

/** Which calls the hardware gets, how many, and what is still held while it answers them. */
@Tag("unchecked")
class CallOrderTest {
  private TableWalkingIommu real;
  private TableWalkingIommu hardware;
  private final Rig rig = new Rig(this::watched);
  private final ProbeDevice device = new ProbeDevice();
  private final DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
  private final IommuBackend backend = new IommuBackend(IommuConfig.defaults());
  private final MemoryBlock block = rig.memory().allocate(8 << 20, MemoryPlacement.CONTIGUOUS);
  private final long phys = block.phys(0);
  private final List<IommuStatistics> atInvalidation = new ArrayList<>();
  private DmaMapper mapper;

  /** Through a proxy, because a spy would change the class of what it watches for all tests of this JVM, those that count garbage too. */
  private TableWalkingIommu watched(TableWalkingIommu real) {
    this.real = real;
    hardware = mock(TableWalkingIommu.class, withSettings().mockMaker(MockMakers.PROXY).defaultAnswer(delegatesTo(real)));
    return hardware;
  }

  @BeforeEach
  void attach() {
    mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
    doAnswer(
            call -> {
              atInvalidation.add(backend.statistics());
              return delegatesTo(real).answer(call);
            })
        .when(hardware)
        .invalidate(anyLong(), anyLong(), anyBoolean());
  }

  @AfterEach
  void close() {
    mapper.close();
    rig.close();
  }

  @Test
  void rootIsShownBeforeAndTakenAwayAfterEverything() {
    mapper.map(phys, 4096, DmaDirection.TO_DEVICE, 0).close();
    mapper.close();

    TableFormat preferred = hardware.formats().getFirst();
    InOrder order = inOrder(hardware);
    order.verify(hardware).setRoot(eq(preferred), anyLong(), eq(4));
    order.verify(hardware).publish(anyLong(), anyLong());
    order.verify(hardware).invalidate(anyLong(), anyLong(), eq(false));
    order.verify(hardware).clearRoot();
  }

  @Test
  void addressesAreFreedOnlyAfterTheInvalidationOfExactlyThem() {
    DmaMapping mapping = mapper.map(phys + 100, 8192, DmaDirection.TO_DEVICE, 0);
    long first = mapping.dmaAddress() & -4096;
    mapping.unmap();

    verify(hardware).publish(first, first + 3 * 4096 - 1);
    verify(hardware).invalidate(first, first + 3 * 4096 - 1, false);
    assertThat(atInvalidation).singleElement().satisfies(held -> assertThat(held.liveRanges()).isEqualTo(1));
    assertThat(backend.statistics().liveRanges()).isZero();
    mapping.close();
  }

  @Test
  void twoStepsCostOnePublishAndOneInvalidation() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(0, 256 * 4096, DmaDirection.BIDIRECTIONAL, 0);
    for (int i = 0; i < 256; i++) {
      window.link(i * 4096L, phys + (i * 7919L % 2048) * 4096, 4096);
    }
    verify(hardware, never()).publish(anyLong(), anyLong());
    window.sync(0, 256 * 4096);
    window.destroy();

    verify(hardware, times(1)).publish(anyLong(), anyLong());
    verify(hardware, times(1)).invalidate(anyLong(), anyLong(), anyBoolean());
    window.close();
  }

  @Test
  void tablesAreFreedOnlyAfterAnInvalidationThatSaysSo() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(0, 2 << 20, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 4096);
    window.sync(0, 4096);
    long tables = backend.statistics().tableBytes();
    long address = window.address();
    window.destroy();

    verify(hardware).invalidate(address, address + (2 << 20) - 1, true);
    assertThat(atInvalidation).singleElement().satisfies(held -> assertThat(held.tableBytes()).isEqualTo(tables));
    assertThat(backend.statistics().tableBytes()).isEqualTo(tables - 4096);
    window.close();
  }

  @Test
  void unlinkingFreesNoTableOfALiveReservation() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(0, 2 << 20, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 2 << 12);
    window.sync(0, 2 << 12);
    long tables = backend.statistics().tableBytes();
    window.unlink(0, 2 << 12);

    assertThat(backend.statistics().tableBytes()).isEqualTo(tables);
    verify(hardware, never()).invalidate(anyLong(), anyLong(), eq(true));
    window.close();
  }

  @Test
  void largeLeafThatReplacesAnEmptyTableIsSeenBeforeTheTableGoes() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(0, 4 << 20, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 4096);
    window.sync(0, 4096);
    device.tryRead(window.address(), 1);
    window.unlink(0, 4096);
    long tables = backend.statistics().tableBytes();
    atInvalidation.clear();
    long address = window.address();
    window.link(0, phys, 2 << 20);

    InOrder order = inOrder(hardware);
    order.verify(hardware).publish(address, address + (2 << 20) - 1);
    order.verify(hardware).invalidate(address, address + (2 << 20) - 1, true);
    assertThat(atInvalidation).singleElement().satisfies(held -> assertThat(held.tableBytes()).isEqualTo(tables));
    assertThat(backend.statistics().tableBytes()).isEqualTo(tables - 4096);
    assertThat(device.tryRead(address + (1 << 20), 1)).isNotNull();
    window.close();
  }

  @Test
  void oneBatchIsOneInvalidationForAll() {
    DmaMapping[] mappings = new DmaMapping[10];
    for (int i = 0; i < mappings.length; i++) {
      mappings[i] = mapper.map(phys + i * 4096L, 4096, DmaDirection.TO_DEVICE, 0);
    }
    try (InvalidationBatch batch = mapper.newBatch()) {
      for (DmaMapping mapping : mappings) {
        mapping.unmap(batch);
      }
      verify(hardware, never()).invalidate(anyLong(), anyLong(), anyBoolean());
      assertThat(backend.statistics().liveRanges()).isEqualTo(mappings.length);
    }
    verify(hardware, times(1)).invalidate(anyLong(), anyLong(), anyBoolean());
    assertThat(atInvalidation).singleElement().satisfies(held -> assertThat(held.liveRanges()).isEqualTo(mappings.length));
    assertThat(backend.statistics().liveRanges()).isZero();
    for (DmaMapping mapping : mappings) {
      mapping.close();
    }
  }
}
