package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** A table over counted memory with everything around it that a test needs; closing it proves that no page leaked. */
final class TableFixture implements AutoCloseable {
  static final long BASE = 0x7_0000_0000L;
  static final int RW = LeafAccess.READ | LeafAccess.WRITE;
  final Arena arena = Arena.ofShared();
  final FakeTableMemory memory = new FakeTableMemory(arena, BASE, 4096);
  final List<String> roots = new ArrayList<>();
  final RadixPageTable table;
  final HardwareReader hardware;
  final TablePages detached = new TablePages();
  final LeafCursor cursor = new LeafCursor();

  TableFixture(TableFormat format) {
    this(format, 4096);
  }

  TableFixture(TableFormat format, long granule) {
    table =
        new RadixPageTable(
            format, memory, granule, (root, levels) -> roots.add(Long.toHexString(root) + "/" + levels));
    hardware = HardwareReader.of(memory, table);
  }

  int map(long iova, long phys, long length) {
    return table.map(iova, phys, length, RW, RadixPageTable.ANY_LEAF, cursor, detached);
  }

  /** Takes a short way, as a handle whose links have this permission. */
  boolean tryLink(long iova, long phys, long length, int access, long maxLeaf) {
    LeafLinker leaves = table.leaves();
    boolean large = Long.compareUnsigned(maxLeaf, LeafLinker.LARGE) >= 0;
    if (!cursor.permits(access, large)) {
      cursor.permit(access, leaves.attributes(access), large);
    }
    return leaves.tryLink(iova, phys, length, access, cursor);
  }

  long leaves() {
    return table.countLeaves(0, -1L);
  }

  /** Reads the word that decides about an address, as hardware finds it. */
  long leafWord(long iova) {
    return memory.word(hardware.leafWordAt(iova));
  }

  /** Frees what was detached, as if an invalidation had completed. */
  void freeDetached() {
    TablePages.freeChain(memory, detached.takeChain());
  }

  @Override
  public void close() {
    assertThat((long) memory.inUse()).isEqualTo(table.tablePages() + detached.count());
    freeDetached();
    table.destroy();
    assertThat(memory.inUse()).isZero();
    arena.close();
  }
}
