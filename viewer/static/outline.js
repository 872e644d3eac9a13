// How a slice and its mask are drawn by the graphics card: an outline of even width, or filled.

export const COLORMAP = "marked";
export const COLORS = { R: [0, 255], G: [0, 210], B: [0, 0], A: [0, 255], I: [0, 255] };

// A shader in NiiVue's own terms (names of uniforms and of texPos are its). overlayOutlineWidth:
// of the outline in pixels of the screen, 0 for filled; overlayAlphaShader: how opaque it is.
// fwidth is 0 along the axis across the slice, so that only neighbours in the plane count.
export const SHADER = `#version 300 es
precision highp int;
precision highp float;
uniform highp sampler3D volume, overlay;
uniform float overlayOutlineWidth, overlayAlphaShader, overlays, opacity;
in vec3 texPos;
out vec4 color;
float marked(vec3 at) { return step(0.5, texture(overlay, at).a); }
float nearby(vec3 at, float pixels) {
  vec3 across = dFdx(texPos) * pixels;
  vec3 down = dFdy(texPos) * pixels;
  vec3 lean = 0.7 * across;
  vec3 drop = 0.7 * down;
  return marked(at + across) + marked(at - across) + marked(at + down) + marked(at - down)
    + marked(at + lean + drop) + marked(at + lean - drop)
    + marked(at - lean + drop) + marked(at - lean - drop);
}
void main() {
  vec4 grey = texture(volume, texPos);
  color = vec4(grey.rgb, opacity);
  float here = marked(texPos);
  float close = nearby(texPos, overlayOutlineWidth);
  float rim = nearby(texPos, overlayOutlineWidth + 1.5);
  if (overlays < 1.0 || overlayAlphaShader == 0.0) return;
  vec3 yellow = vec3(${COLORS.R[1] / 255}.0, ${(COLORS.G[1] / 255).toFixed(4)}, 0.0);
  if (overlayOutlineWidth == 0.0) color.rgb = mix(grey.rgb, yellow, here * overlayAlphaShader);
  else if (here == 0.0 && close > 0.0) color.rgb = yellow;
  else if (here == 0.0 && rim > 0.0) color.rgb = vec3(0.0);
}`;
