package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a checking layer hears beyond the calls that reach it: refusals, syncs that nothing needs, and the end of its mapper. */
class CheckerHooksTest {
  private static final long PAGE = 4096;

  private final Ear ear = new Ear();

  @AfterEach
  void nothingIsHeardTwice() {
    assertThat(ear.heard).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @EnumSource(names = {"DIRECT", "TRANSLATING"})
  @Tag("breaks:not-memory+range-wraps+torn-down-twice+used-after-close")
  void layersHearWhatTheMapperRefuses(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    DmaMapper mapper = DmaStack.of(rig.terminal, ear).attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED);
    FakeBlock block = rig.allocate(4 * PAGE, MemoryPlacement.CONTIGUOUS);
    DmaMapping mapping = mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    mapping.unmap();
    assertThatThrownBy(mapping::unmap).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> mapping.map(-PAGE, 2 * PAGE, TO_DEVICE, NONE)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> mapping.map(1L << 60, PAGE, TO_DEVICE, NONE)).isInstanceOf(DmaMappingException.class);
    mapping.close();
    assertThatThrownBy(mapping::dmaAddress).isInstanceOf(IllegalStateException.class);

    assertThat(ear.heard)
        .containsExactly(
            "NOT_MAPPED unmap 0+0 mine",
            "WRAPS map fffffffffffff000+2000 mine",
            "NOT_MEMORY map or link 1000000000000000+1000",
            "CLOSED dmaAddress 0+0 mine");
    mapper.close();
  }

  @ParameterizedTest
  @EnumSource(names = {"DIRECT", "TRANSLATING"})
  @Tag("breaks:used-after-close")
  void whatIsRefusedOfClosedTransferIsHeardWithTheStateOfItsRange(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    DmaMapper mapper = DmaStack.of(rig.terminal, ear).attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED);
    FakeBlock block = rig.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    DmaTransfer transfer = mapper.newTransfer();
    transfer.map(Ranges.of(block.phys(0), PAGE), TO_DEVICE, NONE, (address, length, at) -> true);
    transfer.close();
    assertThatThrownBy(transfer::entries).isInstanceOf(IllegalStateException.class);
    assertThat(ear.heard).containsExactly("CLOSED entries 0+0 mine");
    mapper.close();
  }

  @ParameterizedTest
  @EnumSource(names = {"DIRECT", "TRANSLATING"})
  void layersThatWatchHearSyncsAndUnmapsThatNothingNeeds(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    ear.watches = true;
    DmaMapper mapper = DmaStack.of(rig.terminal, ear).attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED);
    FakeBlock block = rig.allocate(4 * PAGE, MemoryPlacement.CONTIGUOUS);
    try (DmaMapping mapping = mapper.map(block.phys(0), 256, TO_DEVICE, NONE)) {
      assertThat(mapping.needsSync()).isFalse();
      mapping.syncForDevice(16, 8);
    }
    try (DmaTransfer transfer = mapper.newTransfer()) {
      transfer.map(Ranges.of(block.phys(0), PAGE, block.phys(2 * PAGE), 512), TO_DEVICE, NONE, (address, length, at) -> true);
      assertThat(transfer.needsSync()).isFalse();
      transfer.syncForCpu(PAGE, 32);
    }
    assertThat(ear.heard).containsExactly(
            kind.translates
                ? new String[] {"sync 10+8", "unmap 100", "sync 1000+20"}
                : new String[] {"sync 10+8", "unmap 100", "sync 0+20", "unmap 200", "unmap 1000"});
    mapper.close();
  }

  @ParameterizedTest
  @EnumSource(names = {"DIRECT", "TRANSLATING"})
  void layersHearOnceThatTheirMapperClosed(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    ear.tellsClose = true;
    DmaMapper mapper = DmaStack.of(rig.terminal, ear).attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED);
    mapper.close();
    mapper.close();
    assertThat(ear.heard).containsExactly("closed");
  }

  /** A layer that writes down what it hears. */
  private static final class Ear implements LayerBackend {
    final List<String> heard = new ArrayList<>();
    boolean watches;
    boolean tellsClose;

    @Override
    public String name() {
      return "ear";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
          next.map(state, phys, length, flags, undo);
          state.object(context.layer(), heard);
          watch(state);
        }

        @Override
        public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
          next.reserve(state, lead, length, alignment, highest, flags);
          watch(state);
        }

        private void watch(MappingState state) {
          state.flags |= watches ? MapFlags.WATCHED : 0;
        }

        @Override
        public void sync(MappingState state, long offset, long length, int toward) {
          heard.add("sync " + Long.toHexString(offset) + "+" + Long.toHexString(length));
        }

        @Override
        public void unmap(MappingState state, Retirement batch) {
          if (watches) {
            heard.add("unmap " + Long.toHexString(state.length));
          }
          if (state.has(MapFlags.NEEDS_UNMAP)) {
            next.unmap(state, batch);
          }
        }

        @Override
        public void refused(@Nullable MappingState state, Misuse misuse, String call, long first, long length) {
          heard.add(
              misuse + " " + call + " " + Long.toHexString(first) + "+" + Long.toHexString(length)
                  + (state != null && state.object(context.layer()) == heard ? " mine" : ""));
        }

        @Override
        public void mapperClosed() {
          if (tellsClose) {
            heard.add("closed");
          }
        }
      };
    }

    @Override
    public void close() {}
  }
}
