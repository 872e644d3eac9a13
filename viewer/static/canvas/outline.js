// How a slice and its mask are drawn by the graphics card: an outline of even width, or filled.

export const COLORMAP = "marked";
export const COLORS = { R: [0, 255], G: [0, 210], B: [0, 0], A: [0, 255], I: [0, 255] };

// A shader in NiiVue's own terms (names of uniforms and of texPos are its). overlayOutlineWidth:
// of the outline in pixels of the screen, 0 for filled; overlayAlphaShader: how opaque it is. drawing:
// in place of the mask while one is drawn, 1 for the chosen lesion, less for others; else of 2 voxels.
// NiiVue wants each uniform on a line of its own. Steps of a pixel stay within the slice's plane.
// Where nothing is marked nearby, one look into the scan is all that a pixel costs: [low, high] is the
// box of the mask, as shares of the axes, and null where there is none.
export const shaderOf = (box) => `#version 300 es
precision highp int;
precision highp float;
uniform highp sampler3D volume;
uniform highp sampler3D overlay;
uniform highp sampler3D drawing;
uniform float overlayOutlineWidth;
uniform float overlayAlphaShader;
uniform float overlays;
uniform float opacity;
in vec3 texPos;
out vec4 color;
float marked(vec3 at) {
  bool isDrawn = textureSize(drawing, 0).x > 2;
  return isDrawn ? textureLod(drawing, at, 0.0).r : step(0.5, textureLod(overlay, at, 0.0).a);
}
float most(vec3 along) { return max(marked(texPos + along), marked(texPos - along)); }
float near(vec3 across, vec3 down) {
  vec3 lean = 0.7 * (across + down);
  vec3 drop = 0.7 * (across - down);
  return max(max(most(across), most(down)), max(most(lean), most(drop)));
}
void main() {
  vec3 across = dFdx(texPos);
  vec3 down = dFdy(texPos);
  color = vec4(textureLod(volume, texPos, 0.0).rgb, opacity);
  if (overlays < 1.0 || overlayAlphaShader == 0.0) return;
  vec3 reach = (overlayOutlineWidth + 1.5) * (abs(across) + abs(down));
  bool isFar = any(lessThan(texPos + reach, ${vec3(box?.[0] ?? [2, 2, 2])})) || any(greaterThan(texPos - reach, ${vec3(box?.[1] ?? [-2, -2, -2])}));
  if (isFar && textureSize(drawing, 0).x <= 2) return;
  float inside = marked(texPos);
  float width = overlayOutlineWidth;
  float beside = width == 0.0 || inside > 0.0 ? inside : near(width * across, width * down);
  vec3 tint = beside > 0.7 ? vec3(1.0, ${(COLORS.G[1] / 255).toFixed(4)}, 0.0) : vec3(0.35, 0.75, 1.0);
  if (width == 0.0) color.rgb = mix(color.rgb, tint, inside > 0.0 ? overlayAlphaShader : 0.0);
  else if (inside > 0.0) return;
  else if (beside > 0.0) color.rgb = tint;
  else if (near((width + 1.5) * across, (width + 1.5) * down) > 0.0) color.rgb = vec3(0.0);
}`;

const vec3 = (numbers) => `vec3(${numbers.map((each) => each.toFixed(6))})`;

// The box of what is marked in a mask, with a voxel around it: shares of the axes R, A, S.
export function boxOf(marks) {
  const dims = marks.dimsRAS.slice(1, 4);
  const [steps, starts] = [marks.img2RASstep, marks.img2RASstart];
  const low = [...dims], high = [-1, -1, -1];
  for (let z = 0; z < dims[2]; z++) {
    for (let y = 0; y < dims[1]; y++) {
      let at = starts[0] + starts[1] + starts[2] + y * steps[1] + z * steps[2];
      let first = -1, last = -1;
      for (let x = 0; x < dims[0]; x++, at += steps[0]) {
        if (!marks.img[at]) continue;
        if (first < 0) first = x;
        last = x;
      }
      if (first < 0) continue;
      [[first, last], [y, y], [z, z]].forEach(([from, to], axis) => {
        low[axis] = Math.min(low[axis], from);
        high[axis] = Math.max(high[axis], to);
      });
    }
  }
  if (high[0] < 0) return null;
  return [low.map((each, axis) => (each - 1) / dims[axis]), high.map((each, axis) => (each + 2) / dims[axis])];
}
