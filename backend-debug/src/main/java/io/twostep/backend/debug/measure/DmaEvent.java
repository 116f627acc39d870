package io.twostep.backend.debug.measure;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.StackTrace;

/** What all events of flight recordings have. Off until a recording asks for them by name, such as {@code io.twostep.Map#enabled=true}. */
@Category({"Twostep", "DMA"})
@Enabled(false)
@StackTrace(false)
abstract class DmaEvent extends Event {
  @Label("Device")
  String device = "";

  @Label("DMA Address")
  @Description("First address the device uses, or the offset in its window")
  long address;

  @Label("Length")
  @DataAmount
  long length;

  @Label("Ranges")
  int ranges;

  @Label("Bounced")
  @Description("Bytes of a mapping that is bounced, wholly or in part")
  @DataAmount
  long bounced;
}
