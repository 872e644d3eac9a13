// How a slice and its mask are drawn by the graphics card: an outline of even width, or filled.

export const COLORMAP = "marked";
export const COLORS = { R: [0, 255], G: [0, 210], B: [0, 0], A: [0, 255], I: [0, 255] };

// A shader in NiiVue's own terms (names of uniforms and of texPos are its). overlayOutlineWidth:
// of the outline in pixels of the screen, 0 for filled; overlayAlphaShader: how opaque it is.
// NiiVue wants each uniform on a line of its own. Steps of a pixel stay within the slice's plane.
export const SHADER = `#version 300 es
precision highp int;
precision highp float;
uniform highp sampler3D volume;
uniform highp sampler3D overlay;
uniform float overlayOutlineWidth;
uniform float overlayAlphaShader;
uniform float overlays;
uniform float opacity;
in vec3 texPos;
out vec4 color;
float marked(vec3 at) { return step(0.5, textureLod(overlay, at, 0.0).a); }
bool isNear(vec3 across, vec3 down) {
  vec3 lean = 0.7 * (across + down);
  vec3 drop = 0.7 * (across - down);
  return marked(texPos + across) + marked(texPos - across) + marked(texPos + down)
    + marked(texPos - down) + marked(texPos + lean) + marked(texPos - lean)
    + marked(texPos + drop) + marked(texPos - drop) > 0.0;
}
void main() {
  vec3 across = dFdx(texPos);
  vec3 down = dFdy(texPos);
  color = vec4(texture(volume, texPos).rgb, opacity);
  if (overlays < 1.0 || overlayAlphaShader == 0.0) return;
  vec3 yellow = vec3(1.0, ${(COLORS.G[1] / 255).toFixed(4)}, 0.0);
  bool inside = marked(texPos) > 0.0;
  float width = overlayOutlineWidth;
  if (width == 0.0) color.rgb = mix(color.rgb, yellow, inside ? overlayAlphaShader : 0.0);
  else if (inside) return;
  else if (isNear(width * across, width * down)) color.rgb = yellow;
  else if (isNear((width + 1.5) * across, (width + 1.5) * down)) color.rgb = vec3(0.0);
}`;
