package io.twostep.examples.compare.html;

import io.twostep.examples.chart.Markup;
import io.twostep.examples.chart.Palette;
import io.twostep.examples.compare.Entry;
import io.twostep.examples.compare.Layout;
import io.twostep.examples.compare.MapStrategy;
import io.twostep.examples.compare.StrategyCost;
import io.twostep.examples.compare.html.Pieces.Piece;
import java.util.List;

/** How the first request's memory became device addresses, and these the entries that the device was given. */
final class MappingPicture {
  private static final int MOST_PIECES = 48;
  private static final double WIDTH = 860;
  private static final double LEFT = 130;
  private static final double SPAN = WIDTH - LEFT - 10;
  private static final double BOX = 18;
  private static final double MEMORY = 24;
  private static final double DEVICE = 104;
  private static final double ENTRIES = 184;
  private static final double HEIGHT = 226;

  private final String id;
  private final StrategyCost cost;
  private final int allPieces;
  private final List<Piece> pieces;
  private final int colour;

  MappingPicture(String id, Layout layout, StrategyCost cost) {
    this.id = id;
    this.cost = cost;
    List<Piece> all = Pieces.of(layout, cost.counted().first());
    allPieces = all.size();
    pieces = all.subList(0, Math.min(MOST_PIECES, allPieces));
    colour = StrategyColour.of(cost.of().strategy());
  }

  void write(Markup to) {
    Lane memory = new Lane(pieces.stream().map(Piece::phys).toList(), pieces.stream().map(Piece::length).toList(), LEFT, SPAN);
    Lane device = new Lane(pieces.stream().map(Piece::dmaAddress).toList(), pieces.stream().map(Piece::length).toList(), LEFT, SPAN);
    int entries = pieces.getLast().entry() + 1;
    to.open("figure").element("figcaption", caption(memory, device, entries));
    to.open("svg", "xmlns", "http://www.w3.org/2000/svg", "viewBox", "0 0 " + Markup.at(WIDTH) + " " + Markup.at(HEIGHT), "role", "img", "aria-labelledby", id + "-t");
    to.element("title", caption(memory, device, entries), "id", id + "-t");
    label(to, "memory", MEMORY);
    label(to, "device addresses", DEVICE);
    label(to, "entries, in order", ENTRIES);
    links(to, memory, device, entries);
    for (int i = 0; i < pieces.size(); i++) {
      Piece piece = pieces.get(i);
      box(to, memory.left[i], memory.width[i], MEMORY, "range " + piece.range() + ": " + hex(piece.phys(), piece.length()));
      box(to, device.left[i], device.width[i], DEVICE, hex(piece.dmaAddress(), piece.length()));
    }
    for (int e = 0; e < entries; e++) {
      entry(to, e, entries);
    }
    memory.addresses(to, MEMORY - 6);
    device.addresses(to, DEVICE + BOX + 13);
    to.close().close();
  }

  private String caption(Lane memory, Lane device, int entries) {
    String part = pieces.size() < allPieces ? "the first " + pieces.size() + " of " : "";
    String verb = cost.of().strategy() == MapStrategy.BOUNCE ? "copied to" : "seen as";
    return cost.of().label() + ": " + part + plural(allPieces, "piece") + " in " + plural(memory.runs(), "place") + " of memory, " + verb + " "
        + plural(device.runs(), "range") + " of device addresses, given as " + (entries == 1 ? "1 entry" : entries + " entries");
  }

  private static String plural(int count, String what) {
    return count + " " + what + (count == 1 ? "" : "s");
  }

  private static void label(Markup to, String text, double y) {
    to.element("text", text, "x", "0", "y", Markup.at(y + BOX - 5));
  }

  private void links(Markup to, Lane memory, Lane device, int entries) {
    for (int i = 0; i < pieces.size(); i++) {
      line(to, memory.middle(i), MEMORY + BOX, device.middle(i), DEVICE);
      line(to, device.middle(i), DEVICE + BOX, entryLeft(pieces.get(i).entry(), entries) + entryWidth(entries) / 2, ENTRIES);
    }
  }

  private void line(Markup to, double x1, double y1, double x2, double y2) {
    to.leaf("line", "class", "link " + Palette.stroke(colour), "x1", Markup.at(x1), "y1", Markup.at(y1), "x2", Markup.at(x2), "y2", Markup.at(y2));
  }

  private void box(Markup to, double left, double width, double top, String title) {
    to.open("g").element("title", title);
    to.leaf("rect", "class", Palette.fill(colour) + " box", "x", Markup.at(left), "y", Markup.at(top), "width", Markup.at(width), "height", Markup.at(BOX));
    to.close();
  }

  private static double entryLeft(int entry, int entries) {
    return LEFT + entry * SPAN / entries;
  }

  private static double entryWidth(int entries) {
    return SPAN / entries - Math.min(4, SPAN / entries / 4);
  }

  private void entry(Markup to, int number, int entries) {
    Entry of = cost.counted().first().get(number);
    double left = entryLeft(number, entries);
    double width = entryWidth(entries);
    to.open("g").element("title", "entry " + number + ": " + hex(of.dmaAddress(), of.length()));
    to.leaf(
        "rect", "class", "frame " + Palette.stroke(colour), "x", Markup.at(left), "y", Markup.at(ENTRIES), "width", Markup.at(width), "height", Markup.at(BOX), "rx", "3");
    if (width >= 130) {
      to.element("text", hex(of.dmaAddress(), of.length()), "x", Markup.at(left), "y", Markup.at(ENTRIES + BOX + 15));
    }
    to.close();
  }

  private static String hex(long address, long length) {
    return "0x" + Long.toHexString(address) + "+0x" + Long.toHexString(length);
  }
}
