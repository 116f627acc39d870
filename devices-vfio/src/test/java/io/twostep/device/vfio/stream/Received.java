package io.twostep.device.vfio.stream;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;

/** Notes what a parser passed on. */
final class Received implements RecordHandler {
  static final Set<Integer> KNOWN = Set.of(0, 1, 16, 17);

  final List<String> events = new ArrayList<>();
  boolean end;

  @Override
  public void begin(long session, long epoch) {
    events.add("begin " + session + " " + epoch);
  }

  @Override
  public boolean knows(int tag) {
    return KNOWN.contains(tag);
  }

  @Override
  public void record(int tag, ByteBuffer payload) {
    byte[] bytes = new byte[payload.remaining()];
    payload.get(bytes);
    events.add(tag + ":" + HexFormat.of().formatHex(bytes));
  }

  @Override
  public void end() {
    end = true;
    events.add("end");
  }
}
