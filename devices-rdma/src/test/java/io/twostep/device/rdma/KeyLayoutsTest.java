package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.wire.CqeLayout;
import io.twostep.device.rdma.wire.EqeLayout;
import io.twostep.device.rdma.wire.Field;
import io.twostep.device.rdma.wire.KeyUpdateLayout;
import io.twostep.device.rdma.wire.KlmLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.device.rdma.wire.QueuePairLayout;
import io.twostep.device.rdma.wire.WqeLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Keys, their changes and their entries as bytes, compared with what the adapter's documents say, bit by bit. */
class KeyLayoutsTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ | AccessFlags.REMOTE_ATOMIC | AccessFlags.REMOTE_INVALIDATE;

  private final MemorySegment bytes = MemorySegment.ofArray(new byte[256]);

  private String hex(long offset, int length) {
    return HexFormat.of().formatHex(bytes.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE));
  }

  @Test
  void contextOfAKey() {
    KeyContext context = new KeyContext(0x123456, ALL, 0x1122334455667788L, 0x99aabbccddeeff00L, 21, 0xa5, false);
    context.write(bytes, 0, new KeyShape(MkeyLayout.MODE_EQUAL_PIECES, false, 4));
    // Updates 15, atomic 14, remote write 13, remote read 12, local write 11, local read 10, mode 3 in 9:8.
    assertThat(hex(0x10, 4)).isEqualTo("0000ff00");
    assertThat(hex(0x14, 4)).as("low byte of the key").isEqualTo("000000a5");
    assertThat(hex(0x1c, 4)).as("remote invalidate 24, domain 23:0").isEqualTo("01123456");
    assertThat(hex(0x20, 16)).as("start, length").isEqualTo("112233445566778899aabbccddeeff00");
    assertThat(hex(0x48, 4)).as("log page size 5:0 of dword 14").isEqualTo("00000015");
    assertThat(hex(0x30, 0x18) + hex(0x4c, 4)).as("nothing else").containsOnlyOnce("00".repeat(0x1c));
  }

  @Test
  void contextOfARevokedKeyIsFreeAndPermitsNothingRemote() {
    KeyContext.revoked(7).write(bytes, 0, new KeyShape(MkeyLayout.MODE_TABLE, true, 4));
    assertThat(hex(0x10, 4)).as("free 30, updates 15, local read 10, mode 1").isEqualTo("40008500");
    assertThat(hex(0x1c, 4)).isEqualTo("00000007");
  }

  @Test
  void changeOfEntries() {
    KeyShape shape = new KeyShape(MkeyLayout.MODE_TABLE, true, 20);
    KeyUpdate.ofEntries(0x0012_3455, shape, 0x0001_2345_6789L, 0x0102, 0x7700, 0x1122334455667788L).write(bytes, 0);
    assertThat(hex(16, 1)).as("flags").isEqualTo("00");
    assertThat(hex(20, 4)).as("entries, offset 15:0").isEqualTo("01026789");
    assertThat(hex(24, 8)).as("mask").isEqualTo("0000000000000000");
    assertThat(hex(32, 4)).as("offset 47:16").isEqualTo("00012345");
    assertThat(hex(128, 16)).as("length, key, address").isEqualTo("00000810" + "00007700" + "1122334455667788");
  }

  @Test
  void maskOfAWholeContextHasTheBitsOfEachField() {
    // 0 length, 1 page size, 6 start, 7 domain, 8 remote invalidate, 13 key, 17 to 21 rights, 29 free.
    long expected = 0;
    for (int bit : new int[] {0, 1, 6, 7, 8, 13, 17, 18, 19, 20, 21, 29}) {
      expected |= 1L << bit;
    }
    assertThat(KeyContext.MASK_ALL).isEqualTo(expected);
    assertThat(KeyUpdateLayout.CHECK_FREE).isEqualTo(0x40);
    assertThat(WqeLayout.OP_KEY_UPDATE).isEqualTo(0x25);
  }

  @Test
  void entriesOfAllKinds() {
    KlmLayout.LENGTH.set(bytes, 0, 0x1234);
    KlmLayout.KEY.set(bytes, 0, 0x5678);
    KlmLayout.ADDRESS.set(bytes, 0, 0x99aabbccddeeff00L);
    assertThat(hex(0, KlmLayout.SIZE)).isEqualTo("0000123400005678" + "99aabbccddeeff00");
    MttLayout.ENTRY.set(bytes, 0, 0x0011_2233_4455_6000L | MttLayout.READ | MttLayout.WRITE);
    assertThat(hex(0, MttLayout.SIZE)).isEqualTo("0011223344556003");
  }

  @Test
  void roomForEntriesIsCountedInSixteenBytes() {
    assertThat(KeyShape.of(MkeyLayout.MODE_TABLE, false, 1).octwords()).isEqualTo(1);
    assertThat(KeyShape.of(MkeyLayout.MODE_TABLE, false, 9).octwords()).isEqualTo(8);
    assertThat(KeyShape.of(MkeyLayout.MODE_PIECES, false, 9).octwords()).isEqualTo(16);
    assertThat(KeyShape.of(MkeyLayout.MODE_TABLE, false, 1L << 20).octwords()).isEqualTo(1 << 19);
  }

  @Test
  void fieldsLieInsideTheirStructuresAndDoNotOverlapWhereTheyBelongToOne() throws IllegalAccessException {
    requireDisjoint(fields(MkeyLayout.class, 0, MkeyLayout.SIZE));
    requireDisjoint(fields(KlmLayout.class, 0, KlmLayout.SIZE));
    requireDisjoint(fields(KeyUpdateLayout.class, 16, 64));
    requireDisjoint(fields(CqeLayout.class, 0, CqeLayout.SIZE));
    requireDisjoint(fields(EqeLayout.class, 0, EqeLayout.SIZE));
    assertThat(KeyUpdateLayout.SIZE).isEqualTo(16 + 48 + 64 + 16);
    assertThat(KeyUpdateLayout.CONTEXT_BASE + MkeyLayout.CONTEXT).isEqualTo(64);
    assertThat(QueuePairLayout.ENTRY_SIZE << QueuePairLayout.MAX_LOG_BLOCKS).isGreaterThanOrEqualTo(WqeLayout.MAX_UNITS * WqeLayout.UNIT);
  }

  private static List<Field> fields(Class<?> layout, int first, int end) throws IllegalAccessException {
    List<Field> fields = new ArrayList<>();
    for (java.lang.reflect.Field each : layout.getDeclaredFields()) {
      if (Modifier.isStatic(each.getModifiers()) && each.get(null) instanceof Field field) {
        assertThat(field.offset()).as(each.getName()).isGreaterThanOrEqualTo(first);
        assertThat(field.offset() + field.width()).as(each.getName()).isLessThanOrEqualTo(end);
        fields.add(field);
      }
    }
    assertThat(fields).isNotEmpty();
    return fields;
  }

  private static void requireDisjoint(List<Field> fields) {
    boolean[] taken = new boolean[0x200];
    for (Field field : fields) {
      for (int i = field.offset(); i < field.offset() + field.width(); i++) {
        assertThat(taken[i]).as("byte %d belongs to two fields", i).isFalse();
        taken[i] = true;
      }
    }
  }
}
