package io.twostep.machine.linux.vfiouser.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every message against bytes written down by hand, both ways, and every way in which one can be wrong. */
class MessagesTest {
  private static final int LARGEST = 4096;

  private final MemorySegment out = Arena.ofAuto().allocate(256);

  private static MemorySegment bytes(String hex) {
    return MemorySegment.ofArray(HexFormat.of().parseHex(hex.replace(" ", "")));
  }

  private String written(long length) {
    return HexFormat.of().formatHex(out.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE));
  }

  private static String hex(String text) {
    return text.replace(" ", "");
  }

  @Test
  void headerIsAsWrittenDown() {
    String golden = "3412 0900 20000000 01000000 00000000";
    Header.write(out, 0x1234, Command.REGION_READ, 32, Header.REPLY, 0);
    assertThat(written(Header.SIZE)).isEqualTo(hex(golden));
    assertThat(header(golden)).matches(h -> h.id() == 0x1234 && h.command() == Command.REGION_READ && h.size() == 32 && h.isReply() && !h.isError() && h.errno() == 0);
    assertThat(header("0100 0200 10000000 21000000 16000000"))
        .matches(h -> h.id() == 1 && h.command() == Command.DMA_MAP && h.size() == 16 && h.isReply() && h.isError() && h.errno() == 22)
        .hasToString("reply to DMA_MAP (id 1)");
    assertThat(header("0100 0a00 10000000 10000000 00000000")).matches(h -> !h.wantsReply() && !h.isReply());
  }

  private static Header header(String hex) {
    Header header = new Header(bytes(hex));
    header.require(LARGEST);
    return header;
  }

  @ParameterizedTest
  @CsvSource({
    "0100 0100 0f000000 00000000 00000000, 15 bytes",
    "0100 0100 00000000 00000000 00000000, 0 bytes",
    "0100 0100 01100000 00000000 00000000, 4097 bytes",
    "0100 0100 ffffffff 00000000 00000000, 4294967295 bytes",
    "0100 0100 10000000 02000000 00000000, flags 0x2",
    "0100 0100 10000000 40000000 00000000, flags 0x40",
    "0100 0100 10000000 20000000 00000000, flags 0x20"
  })
  void headerThatLeavesNoWayToGoOnIsRefused(String header, String said) {
    assertThatThrownBy(() -> header(header)).isInstanceOf(ProtocolException.class).hasMessageContaining(said);
  }

  @Test
  void versionIsAsWrittenDownAndReadsWhatOthersWrite() {
    int length = new Version(0, 1, new Capabilities(8, 1 << 20, 64, 4096)).write(out);
    assertThat(written(length))
        .isEqualTo(
            "00000100"
                + HexFormat.of()
                    .formatHex(
                        "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"max_dma_maps\":64,\"pgsizes\":4096}}\0"
                            .getBytes(StandardCharsets.UTF_8)));
    assertThat(Version.read(out.asSlice(0, length))).isEqualTo(new Version(0, 1, new Capabilities(8, 1 << 20, 64, 4096)));
    assertThat(version("{ \"capabilities\": { \"max_msg_fds\": 16, \"twin_socket\": {\"supported\": true, \"fd_index\": 0} } , \"x\":[1.5e3,null]}"))
        .isEqualTo(new Version(0, 7, new Capabilities(16, 1 << 20, 65535, 4096)));
    assertThat(Version.read(bytes("0000 0100"))).isEqualTo(new Version(0, 1, Capabilities.DEFAULT));
    assertThat(version("{}")).isEqualTo(new Version(0, 7, Capabilities.DEFAULT));
    assertThat(version("{\"capabilities\":{\"max_msg_fds\":9999999999}}").capabilities().descriptors()).isEqualTo(253);
    assertThat(version("{\"capabilities\":{\"pgsizes\":2101248}}").capabilities().granule()).as("the smallest of some sizes").isEqualTo(4096);
    assertThat(version("{\"capabilities\":{\"pgsizes\":18446744073709486080}}").capabilities().granule()).as("all sizes from 64 KiB on").isEqualTo(65536);
    assertThat(version("{\"capabilities\":{\"pgsizes\":9223372036854775808}}").capabilities().granule()).isEqualTo(Long.MIN_VALUE);
    assertThat(version("{\"capabilities\":{\"max_dma_maps\":99999999999999999999}}").capabilities().maps()).isEqualTo(Integer.MAX_VALUE);
  }

  private static Version version(String json) {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    byte[] message = new byte[text.length + 5];
    message[2] = 7;
    System.arraycopy(text, 0, message, 4, text.length);
    return Version.read(MemorySegment.ofArray(message));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", "{", "}", "[]", "1", "null", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "{a:1}", "{} x", "{\"a\":tru}", "{\"a\":01}", "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u00g0\"}", "{\"a\":\"\n\"}", "{\"a\":\"", "{\"capabilities\":[]}", "{\"capabilities\":{\"max_msg_fds\":-1}}",
        "{\"capabilities\":{\"max_msg_fds\":\"8\"}}", "{\"capabilities\":{\"max_data_xfer_size\":0}}", "{\"capabilities\":{\"pgsizes\":0.5}}", "{\"capabilities\":{\"pgsizes\":18446744073709551616}}",
        "{\"capabilities\":{\"max_dma_maps\":null}}"
      })
  void versionWithTextThatIsNotWhatItShouldBeIsRefused(String json) {
    assertThatThrownBy(() -> version(json)).isInstanceOf(ProtocolException.class).hasMessageStartingWith("VERSION");
  }

  @Test
  void versionTextIsBoundedInDepthAndEndsInAZeroByteAndIsUtf8() {
    assertThatThrownBy(() -> version("[".repeat(100_000))).isInstanceOf(ProtocolException.class).hasMessageContaining("32 levels");
    assertThatThrownBy(() -> Version.read(bytes("0000 0100 7b7d"))).hasMessageContaining("zero byte");
    assertThatThrownBy(() -> Version.read(bytes("0000 0100 22ff22 00"))).hasMessageContaining("UTF-8");
    assertThatThrownBy(() -> Version.read(bytes("0000 01"))).hasMessageContaining("at least 4");
  }

  @Test
  void jsonStringsAndNumbersAreReadAsTheyAre() {
    assertThat(JsonReader.parse(" [\"a\\n\\u0041\\\\\", -7, 0, 1.25, 1e2, true, false, null, 99999999999999999999] "))
        .isEqualTo(Arrays.asList("a\nA\\", BigInteger.valueOf(-7), BigInteger.ZERO, 1.25, 100.0, true, false, null, new BigInteger("99999999999999999999")));
  }

  @Test
  void deviceInfoIsAsWrittenDown() {
    DeviceInfo info = new DeviceInfo(DeviceInfo.RESETTABLE | DeviceInfo.PCI, 9, 5);
    info.write(out);
    assertThat(written(DeviceInfo.SIZE)).isEqualTo(hex("10000000 03000000 09000000 05000000"));
    assertThat(DeviceInfo.read(bytes("10000000 03000000 09000000 05000000"))).isEqualTo(info);
    refused(() -> DeviceInfo.read(bytes("10000000 03000000 09000000 050000")), "15 bytes");
    refused(() -> DeviceInfo.read(bytes("0f000000 03000000 09000000 05000000")), "argsz 15");
  }

  /** What was seen of another server: doorbells of BAR 0 can be mapped. */
  private static final String DOORBELLS =
      "40000000 0f000000 00000000 20000000 0040000000000000 0000000000000000"
          + "0100 0100 00000000 01000000 00000000 0010000000000000 0010000000000000";

  private static final RegionInfo DOORBELL_REGION = new RegionInfo(7, 0, 0x4000, 0, List.of(new RegionInfo.Area(0x1000, 0x1000)));

  @Test
  void regionInfoWithAnAreaIsAsWrittenDown() {
    assertThat(RegionInfo.read(bytes(DOORBELLS))).isEqualTo(DOORBELL_REGION);
    assertThat(DOORBELL_REGION.write(out, 64)).isEqualTo(64);
    assertThat(written(64)).isEqualTo(hex(DOORBELLS));
    assertThat(DOORBELL_REGION.write(out, 63)).as("no room for the area, but the size it needs").isEqualTo(32);
    assertThat(written(32)).isEqualTo(hex("40000000 0f000000 00000000 00000000 0040000000000000 0000000000000000"));
    RegionInfo config = new RegionInfo(RegionInfo.READ | RegionInfo.WRITE, 7, 4096, 0, List.of());
    assertThat(config.write(out, 32)).isEqualTo(32);
    assertThat(written(32)).isEqualTo(hex("20000000 03000000 07000000 00000000 0010000000000000 0000000000000000"));
    RegionInfo.writeCommand(out, 5, 4096);
    assertThat(written(32)).isEqualTo(hex("00100000 00000000 05000000 00000000 0000000000000000 0000000000000000"));
    assertThat(RegionInfo.readIndex(out)).isEqualTo(5);
    assertThat(RegionInfo.room(out)).isEqualTo(4096);
  }

  @ParameterizedTest
  @CsvSource({
    "0x0c, ff000000, outside the reply",
    "0x0c, 10000000, outside the reply",
    "0x0c, 3c000000, outside the reply",
    "0x28, ffffffff, outside the reply",
    "0x28, 02000000, outside the reply",
    "0x24, 20000000, no end",
    "0x24, 10000000, no end",
    "0x37, 80, outside its",
    "0x31, 4000000000000000, outside its",
    "0x38, 0000000000000000, outside its",
    "0x3f, 80, outside its",
    "0x17, 80, no region is that large"
  })
  void regionInfoThatLeadsOutOfItselfIsRefused(String at, String change, String said) {
    byte[] reply = HexFormat.of().parseHex(hex(DOORBELLS));
    byte[] changed = HexFormat.of().parseHex(change);
    System.arraycopy(changed, 0, reply, Integer.decode(at), changed.length);
    refused(() -> RegionInfo.read(MemorySegment.ofArray(reply)), said);
  }

  @Test
  void regionInfoThatIsTooShortIsRefused() {
    refused(() -> RegionInfo.read(bytes(DOORBELLS).asSlice(0, 31)), "31 bytes");
    refused(() -> RegionInfo.read(bytes(DOORBELLS).asSlice(0, 32)), "outside the reply");
    refused(() -> RegionInfo.readIndex(bytes("20000000 00000000")), "8 bytes");
  }

  @Test
  void accessesAreAsWrittenDown() {
    RegionAccess.write(out, 0x1008, 7, 4);
    assertThat(written(RegionAccess.SIZE)).isEqualTo(hex("0810000000000000 07000000 04000000"));
    MemorySegment access = bytes("0810000000000000 07000000 04000000 aabbccdd");
    assertThat(RegionAccess.offset(access)).isEqualTo(0x1008);
    assertThat(RegionAccess.region(access)).isEqualTo(7);
    assertThat(RegionAccess.count(access)).isEqualTo(4);
    RegionAccess.require(16);
    RegionAccess.requireData(access, 20);
    RegionAccess.requireEcho(access, 0x1008, 7, 4);
    refused(() -> RegionAccess.require(15), "15 bytes");
    refused(() -> RegionAccess.requireData(access, 19), "carries 3");
    refused(() -> RegionAccess.requireData(access, 21), "carries 5");
    refused(() -> RegionAccess.requireData(bytes("0810000000000000 07000000 ffffffff aabbcc"), 19), "4294967295 bytes carries 3");
    refused(() -> RegionAccess.requireEcho(access, 0x100c, 7, 4), "asked for 0x100c+0x4 of region 7 and answered 0x1008+0x4 of region 7");
    refused(() -> RegionAccess.requireEcho(access, 0x1008, 0, 4), "of region 0 and");
    refused(() -> RegionAccess.requireEcho(access, 0x1008, 7, 8), "0x1008+0x8");
    DmaAccess.write(out, 0x7_0000_0000L, 2);
    assertThat(written(DmaAccess.SIZE)).isEqualTo(hex("0000000007000000 0200000000000000"));
    MemorySegment dma = bytes("0000000007000000 0200000000000000 0102");
    assertThat(DmaAccess.iova(dma)).isEqualTo(0x7_0000_0000L);
    assertThat(DmaAccess.count(dma)).isEqualTo(2);
    DmaAccess.requireData(dma, 18);
    DmaAccess.requireEcho(dma, 0x7_0000_0000L, 2);
    refused(() -> DmaAccess.requireData(bytes("0000000007000000 ffffffffffffffff 0102"), 18), "carries 2");
    refused(() -> DmaAccess.require(12), "12 bytes");
    refused(() -> DmaAccess.requireEcho(dma, 0x7_0000_0001L, 2), "0x700000001+0x2");
    refused(() -> DmaAccess.requireEcho(dma, 0x7_0000_0000L, 1), "answered 0x700000000+0x2");
  }

  @Test
  void mapsAreAsWrittenDown() {
    DmaMap.write(out, 3, 0x1000, 0x7_0000_0000L, 0x400000);
    assertThat(written(DmaMap.SIZE)).isEqualTo(hex("20000000 03000000 0010000000000000 0000000007000000 0000400000000000"));
    assertThat(DmaMap.read(out)).isEqualTo(new DmaMap(3, 0x1000, 0x7_0000_0000L, 0x400000));
    DmaUnmap.write(out, 0, 0x7_0000_0000L, 0x400000);
    assertThat(written(DmaUnmap.SIZE)).isEqualTo(hex("18000000 00000000 0000000007000000 0000400000000000"));
    assertThat(DmaUnmap.read(out)).isEqualTo(new DmaUnmap(0, 0x7_0000_0000L, 0x400000));
    assertThat(DmaUnmap.confirmed(out, 24, 0x7_0000_0000L, 0x500000)).isEqualTo(0x400000);
    refused(() -> DmaUnmap.confirmed(out, 24, 0x7_0000_1000L, 0x400000), "unmap 0x700001000+0x400000 and confirmed 0x700000000+0x400000");
    refused(() -> DmaUnmap.confirmed(out, 24, 0x7_0000_0000L, 0x300000), "confirmed 0x700000000+0x400000");
    refused(() -> DmaUnmap.confirmed(out, 23, 0x7_0000_0000L, 0x400000), "23 bytes");
    assertThat(DmaUnmap.read(bytes("18000000 02000000 0000000000000000 0000000000000000"))).matches(DmaUnmap::isAll);
  }

  @ParameterizedTest
  @CsvSource({
    "20000000 03000000 0000000000000000 0000000000000000 00100000000000, 31 bytes",
    "1f000000 03000000 0000000000000000 0000000000000000 0010000000000000, argsz 31",
    "20000000 04000000 0000000000000000 0000000000000000 0010000000000000, flags 0x4",
    "20000000 03000000 0000000000000000 0000000000000000 0000000000000000, at least one byte",
    "20000000 03000000 0000000000000000 0000000000000000 0000000000000080, at least one byte",
    "20000000 03000000 0000000000000080 0000000000000000 0010000000000000, at least one byte",
    "20000000 03000000 00f0ffffffffff7f 0000000000000000 0010000000000000, at least one byte",
    "20000000 03000000 0000000000000000 00f8ffffffffffff 0010000000000000, at least one byte"
  })
  void mapThatCannotBeIsRefused(String map, String said) {
    refused(() -> DmaMap.read(bytes(map)), said);
  }

  @Test
  void mapMayEndAtTheVeryLastAddress() {
    assertThat(DmaMap.read(bytes("20000000 03000000 0000000000000000 00f0ffffffffffff 0010000000000000")).iova()).isEqualTo(-4096L);
  }

  @Test
  void unmapThatCannotBeIsRefused() {
    refused(() -> DmaUnmap.read(bytes("18000000 02000000 0010000000000000 0000000000000000")), "everything");
    refused(() -> DmaUnmap.read(bytes("18000000 01000000 0010000000000000 0010000000000000")), "flags 0x1");
    refused(() -> DmaUnmap.read(bytes("18000000 00000000 0010000000000000")), "16 bytes");
  }

  @Test
  void interruptsAreAsWrittenDown() {
    InterruptInfo info = new InterruptInfo(InterruptInfo.EVENTFD, InterruptInfo.MSIX, 512);
    info.write(out);
    assertThat(written(InterruptInfo.SIZE)).isEqualTo(hex("10000000 01000000 02000000 00020000"));
    assertThat(InterruptInfo.read(out)).isEqualTo(info);
    InterruptSet set = new InterruptSet(InterruptSet.EVENTFD | InterruptSet.TRIGGER, InterruptInfo.MSIX, 3, 2);
    set.write(out);
    assertThat(written(InterruptSet.SIZE)).isEqualTo(hex("14000000 24000000 02000000 03000000 02000000"));
    assertThat(InterruptSet.read(out.asSlice(0, InterruptSet.SIZE))).isEqualTo(set);
    assertThat(set.isOutside(5)).isFalse();
    assertThat(set.isOutside(4)).isTrue();
    assertThat(new InterruptSet(0x21, 2, Integer.MAX_VALUE, Integer.MAX_VALUE).isOutside(512)).isTrue();
    assertThat(new InterruptSet(0x21, 2, -1, 1).isOutside(512)).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "14000000 24000000 02000000 03000000 020000, 19 bytes",
    "13000000 24000000 02000000 03000000 02000000, argsz 19",
    "14000000 20000000 02000000 03000000 02000000, flags 0x20",
    "14000000 04000000 02000000 03000000 02000000, flags 0x4",
    "14000000 25000000 02000000 03000000 02000000, flags 0x25",
    "14000000 34000000 02000000 03000000 02000000, flags 0x34",
    "14000000 64000000 02000000 03000000 02000000, flags 0x64",
    "14000000 22000000 02000000 03000000 02000000 01, 21 bytes",
    "14000000 22000000 02000000 00000000 ffffffff 01, 21 bytes"
  })
  void interruptSetThatCannotBeIsRefused(String set, String said) {
    refused(() -> InterruptSet.read(bytes(set)), said);
  }

  private static void refused(ThrowingCallable read, String said) {
    assertThatThrownBy(read).isInstanceOf(ProtocolException.class).hasMessageContaining(said);
  }
}
